"""Invitations that others sent to this address: fetched from the relay, and found by what a human typed.

The relay's list is a claim. It is kept so that it can be shown and named; what it says is verified when a human
answers it.
"""

from collections.abc import Mapping

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.finding import find
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.trust_records import Direction, InvitationRecord, InvitationStatus
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.signing import Document, edge_id
from dispatch_protocol.standing import EdgeStatus


async def refresh(online: Online, journal: Journal, performer: Performer) -> None:
    """Note invitations that the relay holds for this address; they decide nothing until a human accepts."""
    listing = await online.call("invitations", {})
    effects: list[Effect] = []
    received = listing.get("received")
    for entry in received if isinstance(received, list) else []:
        record = _listed(entry)
        if record is not None and journal.invitation(record.invitation_id) is None:
            effects.append(Put(record))
    await performer.perform(effects)


async def pending(typed: str, online: Online, journal: Journal, performer: Performer) -> InvitationRecord:
    """Return the invitation to this address that an id or a prefix of one names, and that can be answered."""

    def like(prefix: str) -> list[InvitationRecord]:
        return [
            record
            for record in journal.invitations()
            if record.direction is Direction.INCOMING and uuid_of(record).startswith(prefix)
        ]

    if not like(typed.lower()):
        await refresh(online, journal, performer)
    record = find(typed, "invitation", like, uuid_of, hint="dispatch invitations")
    if record.status is InvitationStatus.REVOKED:
        why = f"this invitation is over: another one of {record.address} was accepted, so they may send to you already"
        raise ServiceError("not_pending", why, hint="dispatch contacts")
    edge = journal.edge(record.invitation_id)
    if record.status is InvitationStatus.ACCEPTED and edge is not None and edge.status is EdgeStatus.PENDING:
        raise ServiceError(
            "edge_pending",
            f"you have accepted this invitation, and {record.address}'s device has not confirmed it; where a letter of the "
            "token was wrong it never will: then end it, and ask them for another invitation",
            hint=f"dispatch revoke {record.address}",
        )
    if record.status is not InvitationStatus.PENDING:
        raise ServiceError("not_pending", f"this invitation is {record.status}", hint="dispatch contacts")
    return record


def uuid_of(record: InvitationRecord) -> str:
    """Return an invitation's id as people see it."""
    return EdgeId.from_hex(record.invitation_id).uuid


def _listed(entry: JSON) -> InvitationRecord | None:
    """Read one invitation as the relay tells it; a listing that cannot be read is left out."""
    try:
        assert isinstance(entry, Mapping)  # noqa: S101 - caught below
        document = Document.from_json(entry["document"])
        invitation = InvitationDocument.decode(document.body)
        status = InvitationStatus(str(entry["status"]))
    except (AssertionError, KeyError, ValueError, DispatchError):
        return None
    if status is not InvitationStatus.PENDING:
        return None
    return InvitationRecord(
        invitation_id=edge_id(document.digest).hex,
        direction=Direction.INCOMING,
        address=invitation.from_email,
        document=document.to_json(),
        status=status,
        created_ms=invitation.created_ms,
        expires_ms=invitation.expires_ms,
        link="",
        mac_required=invitation.mac is MacRule.REQUIRED,
    )
