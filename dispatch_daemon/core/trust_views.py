"""What the outside sees of trust: edges, scopes, invitations and standing permissions, as people's scripts rely on it.

Fields may be added here and never renamed; what does not apply is null, never absent.
"""

from collections.abc import Sequence

from dispatch_daemon.core.devices import Names, name_of
from dispatch_daemon.core.gate import rule_reach
from dispatch_daemon.core.grants import edits
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    RuleRecord,
)
from dispatch_protocol.encoding import JSON
from dispatch_protocol.invitation import InvitationDocument
from dispatch_protocol.keys import DeviceId, EdgeId
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import EdgeStatus
from dispatch_protocol.timestamps import format_time, time_or_none


def edge_view(
    edge: EdgeRecord,
    contact: ContactRecord | None,
    scopes: Scopes | None,
    *,
    online: bool | None,
    now_ms: int,
    comparison: str | None = None,
    devices: Sequence[DeviceId] | None = None,
    edits: Sequence[dict[str, JSON]] = (),
) -> dict[str, JSON]:
    """Return one trust edge: whose it is, how the other side is known, what it allows.

    `edits` are what own devices have stated of it at the same time, as `edits_view` shows them; mostly there is none.
    """
    return {
        "edge_id": EdgeId.from_hex(edge.edge).uuid,
        "direction": edge.direction,
        "peer": edge.address,
        "identity": edge.peer,
        "alias": contact.alias if contact else None,
        "trust": contact.trust if contact else None,
        "compared_at": None if contact is None else time_or_none(contact.compared_ms),
        "comparison": comparison,
        "devices": None if devices is None else [device.hex for device in devices],
        "conflict": contact is not None and contact.conflict is not None,
        "online": online,
        "status": edge_status(edge, now_ms),
        "scopes": None if scopes is None else scopes_view(scopes),
        "can_edit_scopes": edge.direction is Direction.INCOMING,
        "edits": list(edits) or None,
    }


def edits_view(edge: EdgeRecord, names: Names) -> list[dict[str, JSON]]:
    """Return what own devices have stated of an edge at the same time; nothing where they agree, or it is another's edge."""
    if edge.direction is not Direction.INCOMING:
        return []
    return [
        {
            "device": grant.version.device.hex,
            "name": name_of(grant.version.device, names),
            "at": format_time(grant.head.created_ms),
            "scopes": scopes_view(grant.scopes),
        }
        for grant in edits(edge)
    ]


def edge_status(edge: EdgeRecord, now_ms: int) -> EdgeStatus:
    """Return where an edge stands now; an active one past its date is expired."""
    if edge.status is EdgeStatus.ACTIVE and edge.expires_ms and now_ms >= edge.expires_ms:
        return EdgeStatus.EXPIRED
    return edge.status


def scopes_view(scopes: Scopes) -> dict[str, JSON]:
    """Return scopes as people read them: times as text."""
    return {
        "tools": list(scopes.tools),
        "mcp_servers": list(scopes.mcp_servers),
        "paths": [{"path": grant.path, "mode": str(grant.mode)} for grant in scopes.paths],
        "run_directory_only": scopes.run_directory_only,
        "network": list(scopes.network),
        "approval": scopes.approval,
        "returns": scopes.returns,
        "max_per_day": scopes.max_per_day,
        "budget": scopes.budget.write(),
        "max_runtime_s": scopes.max_runtime_s,
        "approval_timeout_s": scopes.approval_timeout_s,
        "expires_at": time_or_none(scopes.expires_at_ms),
    }


def unproved_key(invitation_id: str) -> str:
    """Return where a journal remembers when a yes to an invitation of ours came without its token's secret."""
    return f"unproved {invitation_id}"


def invitation_view(
    invitation: InvitationRecord, token: str | None, unproved_ms: JSON = None
) -> dict[str, JSON]:
    """Return one invitation; `token` is what a received one is accepted with, `unproved_ms` when a yes proved nothing."""
    shown: dict[str, JSON] = {
        "invitation_id": EdgeId.from_hex(invitation.invitation_id).uuid,
        "peer": invitation.address,
        "status": invitation.status,
        "expires_at": time_or_none(invitation.expires_ms),
        "created_at": time_or_none(invitation.created_ms),
    }
    if invitation.direction is Direction.OUTGOING:
        waits = invitation.status is InvitationStatus.PENDING
        unproved = time_or_none(unproved_ms) if waits and isinstance(unproved_ms, int) else None
        alarms = {"also_proved": _also_proved(invitation), "unproved_at": unproved}
        return {**shown, "link": invitation.link, **alarms}
    document = InvitationDocument.decode(Document.from_json(invitation.document).body)
    return {**shown, "token": token, "identity": document.sender.identity.hex}


def _also_proved(invitation: InvitationRecord) -> JSON:
    """Return the alarm of a leaked token: who used it first, who proved it too, and when."""
    if invitation.also_proved_by is None:
        return None
    return {
        "accepted_by": invitation.accepted_by,
        "identity": invitation.also_proved_by,
        "at": time_or_none(invitation.also_proved_ms),
    }


def rule_view(rule: RuleRecord, address: str) -> dict[str, JSON]:
    """Return one standing yes with its exact meaning in words."""
    return {
        "rule_id": rule.rule_id,
        "peer": address,
        "edge_id": EdgeId.from_hex(rule.edge).uuid,
        "tool": rule.tool,
        "command": rule.command,
        "path": rule.path,
        "meaning": f"{rule_reach(rule).sentence()}; asked by {address}",
        "created_at": format_time(rule.created_ms),
    }
