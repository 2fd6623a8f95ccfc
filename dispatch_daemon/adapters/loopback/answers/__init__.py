"""What the door answers, as models for its OpenAPI document: fields may be added, never renamed.

The daemon builds its answers itself; nothing here runs when a request is served, and an idle daemon never imports
it. Tests hold real answers against these models, so that the description cannot drift from what is sent.
What does not apply yet is null, never absent.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dispatch_daemon.adapters.loopback.answers import dispatches, machine, trust
from dispatch_daemon.adapters.loopback.answers.shapes import Answer, Problem

__all__ = ["ANSWERS", "Problem"]

# What a route names is found here.
ANSWERS: Final[Mapping[str, type[Answer]]] = MappingProxyType(
    {
        model.__name__: model
        for model in (
            machine.Health,
            machine.OpenApi,
            machine.Whoami,
            machine.LoggedOut,
            machine.Panicked,
            machine.Paused,
            machine.LoginBegun,
            machine.Doctor,
            machine.DaemonStatus,
            machine.Agents,
            machine.AgentKey,
            machine.ToolServers,
            machine.ToolServerTried,
            machine.Stopping,
            machine.RecoveryKeyShown,
            machine.Devices,
            machine.DeviceNamed,
            machine.DeviceRevoked,
            machine.DeviceSet,
            machine.Pairing,
            machine.Recovered,
            machine.Setting,
            machine.Settings,
            machine.PageLink,
            machine.PageSession,
            machine.PagesClosed,
            trust.Contacts,
            trust.ContactCompared,
            trust.ContactNamed,
            trust.EdgeActed,
            trust.EdgeEdited,
            trust.Invitations,
            trust.Audit,
            trust.TrustExported,
            trust.TrustImported,
            trust.Invited,
            trust.InvitationAccepted,
            trust.InvitationActed,
            dispatches.Dispatches,
            dispatches.DispatchWhole,
            dispatches.DispatchActed,
            dispatches.HandedOver,
            dispatches.MessageWritten,
            dispatches.MessagesRead,
            dispatches.Thread,
            dispatches.FileKept,
            dispatches.UndoPreview,
            dispatches.Undone,
            dispatches.Sent,
            dispatches.Result,
            dispatches.Approvals,
            dispatches.ApprovalActed,
            dispatches.Rules,
            dispatches.RuleActed,
            dispatches.Update,
        )
    }
)
