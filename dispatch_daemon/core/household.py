"""The household: what one's own devices tell each other of pins, grants, invitations and rules, and how it is taken in.

An entry is the state of one thing. Taking it in twice, late, or in another order changes nothing: how well a contact is
known only grows, a chain follows its own rules, what was revoked or taken back stays so, and of two names the later one
holds.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dispatch_daemon.core import grants, handover, pins, proofs
from dispatch_daemon.core.effects import Effect, Forget, Put
from dispatch_daemon.core.records import Record
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    RuleRecord,
    Trust,
)
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.messages.household import Entry
from dispatch_protocol.messages.shared_trust import EdgeEntry, InvitationEntry, PinEntry, RuleEntry
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import EdgeStatus

# Where a thing that is told twice stands: the later place holds.
_EDGE_ORDER: Final = [EdgeStatus.PENDING, EdgeStatus.ACTIVE, EdgeStatus.EXPIRED, EdgeStatus.REVOKED]
_EDGE_ENDS: Final = (EdgeStatus.EXPIRED, EdgeStatus.REVOKED)
_INVITATION_ORDER: Final = [
    InvitationStatus.PENDING,
    InvitationStatus.EXPIRED,
    InvitationStatus.ACCEPTED,
    InvitationStatus.CONFIRMED,
    InvitationStatus.DECLINED,
    InvitationStatus.REVOKED,
]
_INVITATION_ENDS: Final = (InvitationStatus.EXPIRED, InvitationStatus.DECLINED, InvitationStatus.REVOKED)


def told_by(effects: Iterable[Effect]) -> tuple[Entry, ...]:
    """Return what a decision's effects are to one's other devices; most are nothing."""
    entries: list[Entry] = []
    for effect in effects:
        match effect:
            case Put(record):
                entries += entries_of(record)
            case Forget(rule):
                entries.append(_rule(rule, removed=True))
            case _:
                pass
    return tuple(entries)


def entries_of(record: Record) -> list[Entry]:
    """Return all that one's other devices are told of a record: an edge once for each version of its grant that binds."""
    entry = entry_of(record)
    if isinstance(entry, EdgeEntry) and isinstance(record, EdgeRecord):
        return [*(replace(entry, grant=Document.from_json(held)) for held in record.beside), entry]
    return [] if entry is None else [entry]


def entry_of(record: Record) -> Entry | None:
    """Return a record as one's other devices are told of it, or None for what stays on this machine."""
    match record:
        case ContactRecord():
            return PinEntry(
                genesis=Genesis.from_hex(record.genesis),
                address=record.address,
                alias=record.alias,
                trust=record.trust,
                links=tuple(Document.from_json(link) for link in record.chain),
                conflict=None
                if record.conflict is None
                else tuple(Document.from_json(link) for link in record.conflict),
                pinned_ms=record.pinned_ms,
                compared_ms=record.compared_ms,
                known_before=record.known_before,
                named_ms=record.named_ms,
            )
        case EdgeRecord():
            return EdgeEntry(
                edge=EdgeId.from_hex(record.edge),
                direction=record.direction,
                peer=Genesis.from_hex(record.peer),
                address=record.address,
                status=record.status,
                grant=Document.from_json(record.grant),
                created_ms=record.created_ms,
                expires_ms=record.expires_ms,
            )
        case InvitationRecord():
            return _invitation(record)
        case RuleRecord():
            return _rule(record, removed=False)
        case HandoverRecord():
            return handover.told(record)
        case _:
            return None


def _invitation(record: InvitationRecord) -> InvitationEntry:
    return InvitationEntry(
        invitation_id=EdgeId.from_hex(record.invitation_id),
        direction=record.direction,
        address=record.address,
        document=Document.from_json(record.document),
        status=record.status,
        created_ms=record.created_ms,
        expires_ms=record.expires_ms,
        link=record.link,
        mac_required=record.mac_required,
        secret=record.secret,
        accepted_by=None if record.accepted_by is None else Genesis.from_hex(record.accepted_by),
        acceptance=None if record.acceptance is None else Digest.from_hex(record.acceptance),
        offered_on=None if record.offered_on is None else DeviceId.from_hex(record.offered_on),
        also_proved_by=None if record.also_proved_by is None else Genesis.from_hex(record.also_proved_by),
        also_proved_ms=record.also_proved_ms or 0,
    )


def _rule(record: RuleRecord, *, removed: bool) -> RuleEntry:
    return RuleEntry(
        rule_id=record.rule_id,
        edge=EdgeId.from_hex(record.edge),
        tool=record.tool,
        command=record.command,
        path=record.path,
        subject=None if record.subject is None else Digest.from_hex(record.subject),
        created_ms=record.created_ms,
        removed=removed,
    )


def removed(rule_id: str) -> RuleEntry:
    """Return that a rule was taken back, of which no more is known than its id."""
    return RuleEntry(
        rule_id=rule_id,
        edge=EdgeId.SELF,
        tool="-",
        command=None,
        path=None,
        subject=None,
        created_ms=0,
        removed=True,
    )


def pin(entry: PinEntry, known: ContactRecord | None, *, decides: bool) -> list[Effect]:
    """Take in a contact as another own device has pinned it; a second history is kept as evidence, never believed.

    Of a device that does not decide for its identity no more counts than how the chain of somebody known has grown.

    Raises:
        ValueError: a word that no version of ours says.
        DispatchError: a chain that is none, or not of this contact.
    """
    for history in (entry.links, *([] if entry.conflict is None else [entry.conflict])):
        Chain.verify(history, expect=entry.genesis)
    links = tuple(link.to_json() for link in entry.links)
    conflict = None if entry.conflict is None else tuple(link.to_json() for link in entry.conflict)
    told = ContactRecord(
        genesis=entry.genesis.hex,
        address=entry.address,
        trust=Trust(entry.trust),
        chain=links,
        pinned_ms=entry.pinned_ms,
        alias=entry.alias,
        conflict=conflict,
        compared_ms=entry.compared_ms,
        known_before=None if entry.known_before is None else Trust(entry.known_before),
        named_ms=entry.named_ms,
    )
    if known is None:
        return [Put(told)] if decides else []
    try:
        joined = pins.retold(known, entry.links)
        told = pins.retold(told, read_links(joined.chain))  # it may be from before a recovery
    except RefusedError:
        joined = known if known.conflict is not None else pins.conflicting(known, entry.links)
    if conflict is not None and joined.conflict is None and joined.chain == links:
        joined = replace(joined, conflict=conflict)
    if decides:
        joined = _known(joined, told)
    return [] if joined == known else [Put(joined)]


def _known(joined: ContactRecord, told: ContactRecord) -> ContactRecord:
    """Return a contact known as well, and called, as another device says; of two names the one that was chosen later holds."""
    later = max(joined, told, key=lambda each: (each.named_ms, each.alias or ""))
    return replace(
        joined,
        trust=pins.better(joined.trust, told.trust),
        compared_ms=max(joined.compared_ms or 0, told.compared_ms or 0) or None,
        known_before=pins.better(joined.known_before, told.known_before),
        alias=later.alias,
        named_ms=later.named_ms,
        address=told.address if told.named_ms >= joined.named_ms else joined.address,
    )


def edge(
    entry: EdgeEntry, known: EdgeRecord | None, own: Chain, peer: Chain | None, *, decides: bool
) -> list[Effect]:
    """Take in an edge as another own device holds it: what was revoked stays so, and versions of its grant are joined.

    `peer` is the pinned chain of its other side. Of a device that does not decide for its identity only an end counts.

    Raises:
        ValueError: a word that no version of ours says.
        DispatchError: a grant that proves nothing, as `proofs.require_grant`.
    """
    told = EdgeRecord(
        edge=entry.edge.hex,
        direction=Direction(entry.direction),
        peer=entry.peer.hex,
        address=entry.address,
        status=EdgeStatus(entry.status),
        grant=entry.grant.to_json(),
        created_ms=entry.created_ms,
        expires_ms=entry.expires_ms,
    )
    if known is not None and (known.peer, known.direction) != (told.peer, told.direction):
        raise RefusedError(RefusalCode.NO_EDGE, "an edge to somebody else, or in the other direction")
    if not decides:
        return [] if known is None else _ended(known, told.status)
    if peer is None:
        raise RefusedError(RefusalCode.CHAIN_UNKNOWN, "an edge with somebody who is not known here yet")
    trustor, dispatcher = (peer, own) if told.direction is Direction.OUTGOING else (own, peer)
    grant = proofs.require_grant(entry.grant, entry.edge, trustor, dispatcher.genesis, own=own)
    if known is None:
        grants.require_near(grant)
        return [Put(told)]
    joined = grants.joined(known, entry.grant)
    joined = replace(joined, status=max(joined.status, told.status, key=_EDGE_ORDER.index))
    return [] if joined == known else [Put(joined)]


def _ended(known: EdgeRecord, status: EdgeStatus) -> list[Effect]:
    if status not in _EDGE_ENDS or _EDGE_ORDER.index(status) <= _EDGE_ORDER.index(known.status):
        return []
    return [Put(replace(known, status=status))]


def invitation(
    entry: InvitationEntry, known: InvitationRecord | None, now_ms: int, *, decides: bool
) -> list[Effect]:
    """Take in an invitation as another own device holds it; the one that got further holds.

    Two identities that proved its secret, each to another device, are the alarm of a leaked token as much as two that proved it
    to one. What was offered here with it stays here. Of a device that does not decide for its identity an end and an alarm count.

    Raises:
        ValueError: a word that no version of ours says.
    """
    told = InvitationRecord(
        invitation_id=entry.invitation_id.hex,
        direction=Direction(entry.direction),
        address=entry.address,
        document=entry.document.to_json(),
        status=InvitationStatus(entry.status),
        created_ms=entry.created_ms,
        expires_ms=entry.expires_ms,
        link=entry.link,
        mac_required=entry.mac_required,
        secret=entry.secret,
        accepted_by=None if entry.accepted_by is None else entry.accepted_by.hex,
        acceptance=None if entry.acceptance is None else entry.acceptance.hex,
        offered_on=None if entry.offered_on is None else entry.offered_on.hex,
        also_proved_by=None if entry.also_proved_by is None else entry.also_proved_by.hex,
        also_proved_ms=None if entry.also_proved_by is None else entry.also_proved_ms,
    )
    if known is None:
        return [Put(told)] if decides else []
    alarmed = _alarmed(told, known, now_ms)
    if not decides and told.status in _INVITATION_ENDS:
        told = replace(alarmed, status=told.status)
    elif not decides:
        told = alarmed
    if _INVITATION_ORDER.index(told.status) <= _INVITATION_ORDER.index(known.status):
        return [] if alarmed == known else [Put(alarmed)]
    return [
        Put(
            replace(
                told,
                secret=None if told.status is InvitationStatus.REVOKED else known.secret or told.secret,
                offer=known.offer,
                offer_identities=known.offer_identities,
                offered_on=known.offered_on or told.offered_on,
                also_proved_by=alarmed.also_proved_by,
                also_proved_ms=alarmed.also_proved_ms,
            )
        )
    ]


def _alarmed(told: InvitationRecord, known: InvitationRecord, now_ms: int) -> InvitationRecord:
    """Return what is known with the alarm that another device's telling of it is, or brings."""
    if known.also_proved_by is not None:
        return known
    if None not in (told.accepted_by, known.accepted_by) and told.accepted_by != known.accepted_by:
        return replace(known, also_proved_by=told.accepted_by, also_proved_ms=now_ms)
    return replace(known, also_proved_by=told.also_proved_by, also_proved_ms=told.also_proved_ms)


def rule(entry: RuleEntry, known: RuleRecord | None, *, was_removed: bool, decides: bool) -> list[Effect]:
    """Take in a standing yes, or that it was taken back, which holds whatever is told after it and by whomever."""
    told = RuleRecord(
        rule_id=entry.rule_id,
        edge=entry.edge.hex,
        tool=entry.tool,
        command=entry.command,
        created_ms=entry.created_ms,
        path=entry.path,
        subject=None if entry.subject is None else entry.subject.hex,
    )
    if entry.removed:
        return [] if known is None else [Forget(known)]
    return [Put(told)] if decides and known is None and not was_removed else []
