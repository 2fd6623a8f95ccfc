"""The log that each of one's own devices keeps for the others: how this device's goes on, and how theirs are followed.

A log is followed as far as none of its documents is missing, so whoever says how far it follows says what it lacks.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from dispatch_daemon.core.composing import Moment, Own, Peer, head_of, send_of
from dispatch_daemon.core.effects import Effect, Put, Send
from dispatch_daemon.core.shared_records import HouseholdRecord
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import dumps
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.messages.household import Entry, Log, LogHead
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import Signed

ENTRY_BYTES: Final = 512 * 1024  # of the entries of one document; a contact's chain alone may be as long
LARGEST: Final = BODY_BYTES - 64 * 1024  # what is larger is left out, because no document has room for it
PER_DOCUMENT: Final = 200
_BASE: Final = "base "


def told(entries: Sequence[Entry], own: Own, heads: Sequence[LogHead], moment: Moment) -> list[Effect]:
    """Go on with this device's log: keep and owe the documents that hold these entries.

    `heads` are the logs as they are followed here; this device's own is the one that goes on. Without entries it is one
    document that says no more than how far its author has come.
    """
    mine = next((head for head in heads if head.device == own.device), None)
    seq, prev = (0, Digest.ZERO) if mine is None else (mine.seq, mine.digest)
    effects: list[Effect] = []
    fit = [entry for entry in entries if len(dumps(entry.write())) <= LARGEST]
    for number, part in enumerate(_parts(fit)):
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


def after(effects: Iterable[Effect], heads: Sequence[LogHead], own: DeviceId) -> list[LogHead]:
    """Return how far each log is followed once these effects are written, which may go on with this device's own."""
    mine = [
        LogHead(device=own, seq=effect.record.seq, digest=Digest.from_hex(effect.record.digest))
        for effect in effects
        if isinstance(effect, Put)
        and isinstance(effect.record, HouseholdRecord)
        and effect.record.device == own.hex
    ]
    return [*(head for head in heads if head.device != own or not mine), *mine[-1:]]


def fed(entries: Sequence[Entry], own: Own, heads: Sequence[LogHead], moment: Moment) -> list[Effect]:
    """Owe a new device everything that is known here: from where it follows each log, and in one's own what there is to know.

    What is lost of it is lacking in a log that is followed, so it is told again like anything else.
    """
    base = _send(own, moment, -1, seq=0, prev=Digest.ZERO, heads=heads, entries=())
    return [base, *told(entries, own, heads, moment)]


def again(signed: Signed) -> Send:
    """Owe a document of one's own log once more, the very same bytes."""
    send = send_of(decode_body(Kind.LOG, signed.body), deliver=True, keep=False)
    return replace(send, body=signed.body, digest=signed.digest.hex)


def was_for(signed: Signed, device: DeviceId, own: Chain) -> bool:
    """Say whether a document was sealed to a device: to one that joined later it never can be."""
    stated = own.at(decode_body(Kind.LOG, signed.body).head.recipient.head)
    return stated is not None and device in stated.devices


def place_of(signed: Signed) -> int:
    """Return the number of a document in its author's log."""
    log = decode_body(Kind.LOG, signed.body)
    assert isinstance(log, Log)  # noqa: S101 - its kind says so
    return log.seq


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
    own: DeviceId,
    active: Container[DeviceId],
) -> list[Effect]:
    """Keep a document of another own device's log; a feed says from where logs are followed, so far as its author may.

    That is their own log, every other one of which nothing is known here, and that of a device which is none of the `active` any
    more, where nothing follows; never that of this device, `own`. When it was said
    counts, not when it came: what a relay has held back for days makes nobody less silent.
    """
    teller, at_ms = log.head.sender.device, min(now_ms, log.head.created_ms)
    own_row = _place(teller, log.seq, log.prev.hex, digest, at_ms, signed)
    known = {head.device: head.seq for head in heads}
    return [
        Put(own_row),
        *(
            Put(_base(head, at_ms if head.device == teller else heard_ms.get(head.device.hex, now_ms)))
            for head in (log.heads if log.seq == 0 else ())
            if head.device != own and _is_taken(head, teller, known, active)
        ),
    ]


def _is_taken(
    head: LogHead, teller: DeviceId, known: Mapping[DeviceId, int], active: Container[DeviceId]
) -> bool:
    if head.device == teller:
        return known.get(head.device) != head.seq
    return head.device not in known or (head.device not in active and head.seq > known[head.device])


def is_base(record: HouseholdRecord) -> bool:
    """Say whether this is no document but the place from which a log is followed."""
    return record.digest.startswith(_BASE)


def _base(head: LogHead, at_ms: int) -> HouseholdRecord:
    """Return from where a log is followed: one place for each log, which is no document, so the true one still may come."""
    return _place(head.device, head.seq, head.digest.hex, _BASE + head.device.hex, at_ms, b"")


def _place(device: DeviceId, seq: int, prev: str, digest: str, at_ms: int, signed: bytes) -> HouseholdRecord:
    return HouseholdRecord(digest=digest, device=device.hex, seq=seq, prev=prev, at_ms=at_ms, signed=signed)


def contradicts(log: Log, digest: str, same: str | None, before: str | None, after: str | None) -> bool:
    """Say whether a document tells another history of its author's log than what is held around it.

    `same` is the digest that is held in its place, `before` the one in the place before it, and `after` what the document in the
    place after it names as the one before; each is None where nothing is held. A base has no place, so nothing stands before the
    first document, whatever came before it.
    """
    if log.seq == 0:
        return False
    follows = log.seq == 1 or before in (None, log.prev.hex)
    return same not in (None, digest) or not follows or after not in (None, digest)


def lacks_departed(log: Log, heads: Iterable[LogHead], active: Container[DeviceId]) -> bool:
    """Say whether the author of another log lacks what a device has said that has left: nobody but us can tell it on."""
    followed = {head.device: head.seq for head in log.heads}
    return any(head.device not in active and head.seq > followed.get(head.device, 0) for head in heads)


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
