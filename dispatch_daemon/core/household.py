"""The household: what one's own devices tell each other of pins, grants, invitations and rules, and how it is taken in.

An entry is the state of one thing. Taking it in twice, late, or in another order changes nothing: how well a contact is
known only grows, a chain follows its own rules, what was revoked or taken back stays so, and of two names the later one
holds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from dispatch_daemon.core import grants, handover, pins
from dispatch_daemon.core.composing import Moment, Own, Peer, head_of, send_of
from dispatch_daemon.core.effects import Effect, Forget, Put, Send
from dispatch_daemon.core.records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    HouseholdRecord,
    InvitationRecord,
    InvitationStatus,
    Record,
    RuleRecord,
    Trust,
)
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_protocol.chain import read_links
from dispatch_protocol.encoding import dumps
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.grant import GrantDocument
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.messages.household import (
    EdgeEntry,
    Entry,
    InvitationEntry,
    Log,
    LogHead,
    PinEntry,
    RuleEntry,
)
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import EdgeStatus

ENTRY_BYTES: Final = 512 * 1024  # of the entries of one document; a contact's chain alone may be as long
PER_DOCUMENT: Final = 200

# Where a thing that is told twice stands: the later place holds.
_EDGE_ORDER: Final = [EdgeStatus.PENDING, EdgeStatus.ACTIVE, EdgeStatus.EXPIRED, EdgeStatus.REVOKED]
_INVITATION_ORDER: Final = [
    InvitationStatus.PENDING,
    InvitationStatus.EXPIRED,
    InvitationStatus.ACCEPTED,
    InvitationStatus.CONFIRMED,
    InvitationStatus.DECLINED,
    InvitationStatus.REVOKED,
]


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
        also_proved_ms=record.also_proved_ms,
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


def told(entries: Sequence[Entry], own: Own, heads: Sequence[LogHead], moment: Moment) -> list[Effect]:
    """Go on with this device's log: keep and owe the documents that hold these entries.

    `heads` are the logs as they are followed here; this device's own is the one that goes on. Without entries it is one
    document that says no more than how far its author has come.
    """
    mine = next((head for head in heads if head.device == own.device), None)
    seq, prev = (0, Digest.ZERO) if mine is None else (mine.seq, mine.digest)
    effects: list[Effect] = []
    for number, part in enumerate(_parts(entries)):
        send = _send(own, moment, number, seq=seq + 1, prev=prev, heads=heads, entries=part)
        record = HouseholdRecord(
            digest=send.digest,
            device=own.device.hex,
            seq=seq + 1,
            prev=prev.hex,
            at_ms=moment.now_ms,
            signed=b"",
        )
        effects += [Put(record), send]
        seq, prev = seq + 1, Digest.from_hex(send.digest)
    return effects


def fed(entries: Sequence[Entry], own: Own, heads: Sequence[LogHead], moment: Moment) -> list[Effect]:
    """Owe a new device everything that is known here, beside the log: it follows every log from `heads` on."""
    return [
        _send(own, moment, number, seq=0, prev=Digest.ZERO, heads=heads, entries=part)
        for number, part in enumerate(_parts(entries))
    ]


def _send(
    own: Own,
    moment: Moment,
    number: int,
    *,
    seq: int,
    prev: Digest,
    heads: Sequence[LogHead],
    entries: tuple[Entry, ...],
) -> Send:
    head = head_of(
        own,
        Peer(own.chain.genesis, own.chain.head),
        edge=EdgeId.SELF.hex,
        about=None,
        now_ms=moment.now_ms,
        nonce=moment.nonce(100 + number),
    )
    log = Log(head=head, seq=seq, prev=prev, heads=tuple(heads), entries=entries)
    return send_of(log, deliver=True, keep=False)


def followed(
    log: Log,
    digest: str,
    signed: bytes,
    heads: Iterable[LogHead],
    heard_ms: Mapping[str, int],
    now_ms: int,
) -> list[Effect]:
    """Keep a document of another own device's log; a feed says how far every log may be taken as followed from now on.

    When it was said counts, not when it came: what a relay has held back for days makes nobody less silent.
    """
    teller, at_ms = log.head.sender.device, min(now_ms, log.head.created_ms)
    if log.seq > 0:
        return [Put(_place(teller, log.seq, log.prev.hex, digest, at_ms, signed))]
    known = {head.device: head.seq for head in heads}
    return [
        Put(
            _place(
                head.device,
                head.seq,
                "",
                head.digest.hex,
                at_ms if head.device == teller else heard_ms.get(head.device.hex, now_ms),
                b"",
            )
        )
        for head in log.heads
        if known.get(head.device, 0) < head.seq
    ]


def _place(device: DeviceId, seq: int, prev: str, digest: str, at_ms: int, signed: bytes) -> HouseholdRecord:
    return HouseholdRecord(digest=digest, device=device.hex, seq=seq, prev=prev, at_ms=at_ms, signed=signed)


def next_unheard(log: Log, own: DeviceId) -> int:
    """Return the number of the first document of this device's log that the author of another log had not followed."""
    return 1 + next((head.seq for head in log.heads if head.device == own), 0)


def _parts(entries: Sequence[Entry]) -> Iterator[tuple[Entry, ...]]:
    """Divide entries so that each part fits into one document; there is always one, even an empty one."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        own_size = len(dumps(entry.write()))
        if part and (size + own_size > ENTRY_BYTES or len(part) >= PER_DOCUMENT):
            yield tuple(part)
            part, size = [], 0
        part.append(entry)
        size += own_size
    yield tuple(part)


def pin(entry: PinEntry, known: ContactRecord | None) -> list[Effect]:
    """Take in a contact as another own device has pinned it; a second history is kept as evidence, never believed.

    Raises:
        ValueError: a word that no version of ours says.
    """
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
    )
    if known is None:
        return [Put(told)]
    try:
        joined = pins.retold(known, entry.links)
        told = pins.retold(told, read_links(joined.chain))  # it may be from before a recovery
    except RefusedError:
        joined = known if known.conflict is not None else pins.conflicting(known, entry.links)
    if conflict is not None and joined.conflict is None and joined.chain == links:
        joined = replace(joined, conflict=conflict)
    joined = replace(
        joined,
        trust=pins.better(joined.trust, told.trust),
        compared_ms=max(joined.compared_ms or 0, told.compared_ms or 0) or None,
        known_before=pins.better(joined.known_before, told.known_before),
        alias=entry.alias or known.alias,
        address=entry.address,
    )
    return [] if joined == known else [Put(joined)]


def edge(entry: EdgeEntry, known: EdgeRecord | None) -> list[Effect]:
    """Take in an edge as another own device holds it: what was revoked stays so, and versions of its grant are joined.

    Raises:
        ValueError: a word that no version of ours says.
        DispatchError: a grant that cannot be read.
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
    if known is None:
        GrantDocument.decode(entry.grant.body)
        return [Put(told)]
    joined = grants.joined(known, entry.grant)
    joined = replace(joined, status=max(joined.status, told.status, key=_EDGE_ORDER.index))
    return [] if joined == known else [Put(joined)]


def invitation(entry: InvitationEntry, known: InvitationRecord | None, now_ms: int) -> list[Effect]:
    """Take in an invitation as another own device holds it; the one that got further holds.

    Two identities that proved its secret, each to another device, are the alarm of a leaked token as much as two that proved it
    to one. What was offered here with it stays here.

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
        also_proved_ms=entry.also_proved_ms,
    )
    if known is None:
        return [Put(told)]
    alarmed = _alarmed(told, known, now_ms)
    if _INVITATION_ORDER.index(told.status) <= _INVITATION_ORDER.index(known.status):
        return [] if alarmed == known else [Put(alarmed)]
    return [
        Put(
            replace(
                told,
                secret=known.secret or told.secret,
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


def rule(entry: RuleEntry, known: RuleRecord | None, *, was_removed: bool) -> list[Effect]:
    """Take in a standing yes, or that it was taken back, which holds whatever is told after it."""
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
    return [Put(told)] if known is None and not was_removed else []
