"""All services as the one object that the door knows; each name of the port is bound to the noun it belongs to."""

from collections.abc import AsyncIterator

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.panicking import Panic
from dispatch_daemon.app.services.accepting import Accepting
from dispatch_daemon.app.services.account import Account
from dispatch_daemon.app.services.approvals import Approvals
from dispatch_daemon.app.services.choosing import Choosing
from dispatch_daemon.app.services.contacts import Contacts
from dispatch_daemon.app.services.continuing import Continuing
from dispatch_daemon.app.services.devices import Devices
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.services.handing_over import HandingOver
from dispatch_daemon.app.services.invitations import Invitations
from dispatch_daemon.app.services.logs import Logs
from dispatch_daemon.app.services.machine import Machine
from dispatch_daemon.app.services.pairing import Pairing
from dispatch_daemon.app.services.pausing import Pausing
from dispatch_daemon.app.services.recovering import Recovering
from dispatch_daemon.app.services.sending import Sending
from dispatch_daemon.app.services.signing_in import SigningIn
from dispatch_daemon.app.services.threads import Threads
from dispatch_daemon.app.services.tool_servers import ToolServers
from dispatch_daemon.app.services.trust_files import TrustFiles
from dispatch_daemon.app.services.undoing import Undoing
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core.records import Box
from dispatch_daemon.ports import JsonObject, Update


class Service:
    """The daemon as the door sees it (`ports.DoorService`)."""

    def __init__(
        self,
        journal: Journal,
        watchers: Watchers,
        account: Account,
        signing_in: SigningIn,
        machine: Machine,
        invitations: Invitations,
        accepting: Accepting,
        contacts: Contacts,
        sending: Sending,
        dispatches: Dispatches,
        approvals: Approvals,
        choosing: Choosing,
        continuing: Continuing,
        undoing: Undoing,
        talking: Threads,
        handing_over: HandingOver,
        devices: Devices,
        pairing: Pairing,
        recovering: Recovering,
        pausing: Pausing,
        panic: Panic,
        trust_files: TrustFiles,
        logs: Logs,
        tool_servers: ToolServers,
    ) -> None:
        self._journal = journal
        self._watchers = watchers
        self._dispatches = dispatches
        self._approvals = approvals
        self._bind_machine(account, signing_in, machine)
        self._bind_evidence(trust_files, logs)
        self._bind_stopping(pausing, panic)
        self._bind_agents(choosing, tool_servers)
        self._bind_trust(invitations, accepting, contacts)
        self.download = dispatches.download
        self.keep_file = sending.keep_file
        self.send, self.resend = sending.send, sending.resend
        self.dispatches = dispatches.dispatches
        self.dispatch = dispatches.dispatch
        self.accept, self.decline = dispatches.accept, dispatches.decline
        self.cancel, self.result = dispatches.cancel, dispatches.result
        self.complete, self.resume = continuing.complete, continuing.resume
        self.discard, self.review = continuing.discard, continuing.review
        self.undo_preview, self.undo = undoing.undo_preview, undoing.undo
        self.reply, self.thread, self.read_messages = talking.reply, talking.thread, talking.read_messages
        self.approvals, self.decide = approvals.approvals, approvals.decide
        self.rules, self.remove_rule = approvals.rules, approvals.remove_rule
        self._bind_devices(devices, pairing, recovering, handing_over)

    def _bind_trust(self, invitations: Invitations, accepting: Accepting, contacts: Contacts) -> None:
        self.invitations, self.invite = invitations.invitations, invitations.invite
        self.accept_invitation = accepting.accept_invitation
        self._accepting = accepting
        self.contacts = contacts.contacts
        self.verify_contact, self.alias_contact = contacts.verify_contact, contacts.alias_contact
        self._contacts, self.edit_edge = contacts, contacts.edit_edge

    def _bind_agents(self, choosing: Choosing, tool_servers: ToolServers) -> None:
        self.agents, self.test_agent = choosing.agents, choosing.test_agent
        self.agent_key = choosing.agent_key
        self.tool_servers = tool_servers.tool_servers
        self.test_tool_server = tool_servers.test_tool_server

    def _bind_stopping(self, pausing: Pausing, panic: Panic) -> None:
        self._panic, self.require_calm, self.panic_machine = panic, panic.require_calm, panic.panic_machine
        self.pause_machine = pausing.pause_machine

    def _bind_evidence(self, trust_files: TrustFiles, logs: Logs) -> None:
        self.audit = logs.audit
        self.export_trust, self.import_trust = trust_files.export_trust, trust_files.import_trust

    def _bind_machine(self, account: Account, signing_in: SigningIn, machine: Machine) -> None:
        self.begin_login, self.finish_login = signing_in.begin_login, signing_in.finish_login
        self.whoami = account.whoami
        self.login, self.logout, self.recovery_key = account.login, account.logout, account.recovery_key
        self.doctor, self.daemon_status = machine.doctor, machine.daemon_status
        self.stop, self.settings = machine.stop, machine.settings
        self.change_setting = machine.change_setting

    def _bind_devices(
        self, devices: Devices, pairing: Pairing, recovering: Recovering, handing_over: HandingOver
    ) -> None:
        self.hand_over = handing_over.hand_over
        self.recover = recovering.recover
        self.devices = devices.devices
        self._devices, self.rename_device = devices, devices.rename_device
        self.set_device = devices.set_device
        self.pairing, self.open_pairing = pairing.pairing, pairing.open_pairing
        self.join, self.confirm_pairing = pairing.join, pairing.confirm_pairing

    async def revoke(self, *, peer: str, outgoing: bool) -> JsonObject:
        """End an edge; in a panic it is told too."""
        answer = await self._contacts.revoke(peer=peer, outgoing=outgoing)
        await self._panic.let_out()
        return answer

    async def decline_invitation(self, *, token: str) -> JsonObject:
        """Decline an invitation, or take one's own back; in a panic it is told too."""
        answer = await self._accepting.decline_invitation(token=token)
        await self._panic.let_out()
        return answer

    async def revoke_device(self, *, device: str) -> JsonObject:
        """End one of one's own devices; in a panic it is told too."""
        answer = await self._devices.revoke_device(device=device)
        await self._panic.let_out()
        return answer

    async def subscribe(self, *, dispatch_id: str | None) -> AsyncIterator[Update]:
        """Yield the whole present state, then each thing as it changes."""
        record = None if dispatch_id is None else self._dispatches.find(dispatch_id)
        wanted = None if record is None else record.dispatch_id
        snapshot: JsonObject
        if record is not None:
            snapshot = {"dispatch": self._dispatches.whole(record)}
        else:
            inbox = await self._dispatches.dispatches(box=Box.INBOX, cursor=None, limit=50)
            sent = await self._dispatches.dispatches(box=Box.SENT, cursor=None, limit=50)
            snapshot = {
                "inbox": inbox["dispatches"],
                "sent": sent["dispatches"],
                "approvals": list(self._approvals.open()),
            }
        async for update in self._watchers.follow(wanted, snapshot):
            yield self._whole(update)

    def _whole(self, update: Update) -> Update:
        """Put the dispatch that changed, as it is now, into the update."""
        changed = update.data.get("dispatch_id") if update.kind == "change" else None
        record = self._journal.dispatch_named(changed) if isinstance(changed, str) else None
        if record is None:
            return update
        return Update("change", {"type": "dispatch", "dispatch": self._dispatches.whole(record)})
