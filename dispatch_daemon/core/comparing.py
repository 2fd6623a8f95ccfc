"""Comparing with a contact, as this machine's journal sees it: what was committed, what was revealed, what a human said.

The rules are those of docs/PROTOCOL.md, "Comparing". Only a human's act begins or ends anything here; what a contact
sends is kept, and answered with nothing that was not already theirs to have.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from dispatch_daemon.core.composing import Moment, Own, Peer, head_of, send_of
from dispatch_daemon.core.effects import Effect, Put, Send
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.pins import compared
from dispatch_daemon.core.trust_records import ComparisonRecord, ContactRecord, Judgement
from dispatch_protocol.compare import Side, commitment, keeps, words
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.head import Head
from dispatch_protocol.keys import Digest, Genesis
from dispatch_protocol.limits import COMPARISON_S
from dispatch_protocol.messages.comparing import Comparison, Reveal
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind

LIFE_MS = COMPARISON_S * 1000


class ComparisonState(StrEnum):
    """Where comparing with one contact stands."""

    NONE = "none"
    ASKED = "asked"  # our human began; theirs has not answered, or its words are on their way
    WANTED = "wanted"  # their human began; ours has not
    WORDS = "words"  # both see seven words; nobody here has said whether they are the same
    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Between:
    """The two who compare: this identity, the contact with the head that is pinned of it, and their edge."""

    own: Own
    peer: Peer
    address: str
    epoch: int
    edge: str


def state(record: ComparisonRecord | None, epoch: int, now_ms: int) -> ComparisonState:
    """Return where a comparison stands; one that lapsed, or that a recovery has made void, is none."""
    if record is None or record.epoch != epoch:
        return ComparisonState.NONE
    if record.judgement is not None:
        return ComparisonState(record.judgement)
    if now_ms >= record.since_ms + LIFE_MS:
        return ComparisonState.NONE
    if record.mine is None:
        return ComparisonState.WANTED
    return ComparisonState.ASKED if record.their_random is None else ComparisonState.WORDS


def shared_words(record: ComparisonRecord | None, own: Genesis) -> tuple[str, ...] | None:
    """Return the seven words, as soon as both sides have revealed what they were bound to."""
    if record is None or record.mine is None or record.theirs is None or record.random is None:
        return None
    if record.their_random is None:
        return None
    return words(
        Side(own, Digest.from_hex(record.mine), record.random),
        Side(Genesis.from_hex(record.peer), Digest.from_hex(record.theirs), record.their_random),
    )


def asked(record: ComparisonRecord | None, between: Between, moment: Moment, *, anew: bool) -> list[Effect]:
    """Begin, answer or ask once more, because a human of this machine wants to compare."""
    now = state(record, between.epoch, moment.now_ms)
    if record is not None and now not in (ComparisonState.NONE, ComparisonState.WANTED) and not anew:
        return _owed_again(record, between, moment)
    held = record if record is not None and now is ComparisonState.WANTED else None
    random = moment.secret()
    message = Comparison(
        head=_head(between, moment, 1),
        from_email=(between.own.address or "").lower(),
        to_email=between.address.lower(),
        commitment=commitment(between.own.chain.genesis, random),
    )
    send = send_of(message, deliver=True, keep=False)
    begun = ComparisonRecord(
        peer=between.peer.genesis.hex,
        since_ms=moment.now_ms,
        epoch=between.epoch,
        mine=send.digest,
        body=send.body,
        random=random,
        theirs=None if held is None else held.theirs,
        commitment=None if held is None else held.commitment,
        theirs_ms=0 if record is None else record.theirs_ms,
    )
    return [send, *_bound(begun, between, moment)]


def arrived(
    record: ComparisonRecord | None, message: Comparison, digest: Digest, between: Between, moment: Moment
) -> list[Effect]:
    """Keep the other side's wish; if our human has begun too, both are bound now, and our bytes are revealed.

    Raises:
        RefusedError: `comparison_mismatch`, it goes between other addresses than are known here.
    """
    if (message.from_email, message.to_email) != (
        between.address.lower(),
        (between.own.address or "").lower(),
    ):
        raise RefusedError(
            RefusalCode.COMPARISON_MISMATCH, "a comparison between other addresses than are known here"
        )
    if record is not None and message.head.created_ms <= record.theirs_ms:
        return []  # said before, or told late
    now = state(record, between.epoch, moment.now_ms)
    unbound = record is not None and now is ComparisonState.ASKED and record.theirs is None
    ours = record if record is not None and unbound else _nothing(between, moment)
    held = replace(ours, theirs=digest.hex, commitment=message.commitment, theirs_ms=message.head.created_ms)
    return _bound(held, between, moment)


def revealed(record: ComparisonRecord | None, message: Reveal) -> list[Effect]:
    """Take in what the other side was bound to; whatever does not fit what is held here changes nothing."""
    if record is None or message.yours.hex != record.mine or record.their_random is not None:
        return []
    if record.theirs is None:
        return [Put(replace(record, early=(message.mine.hex, message.random.hex())))]
    taken = _taken(record, message.mine.hex, message.random)
    return [] if taken is None else [Put(taken)]


def judged(
    record: ComparisonRecord | None, contact: ContactRecord, epoch: int, now_ms: int, *, same: bool
) -> list[Effect]:
    """Keep what a human said of the words; only the same words make a contact known as compared.

    Raises:
        ServiceError: `no_comparison`, there are no words to speak of.
    """
    shown = state(record, epoch, now_ms) not in (ComparisonState.NONE, ComparisonState.WANTED)
    if record is None or record.their_random is None or not shown:
        raise ServiceError("no_comparison", f"there are no words to compare with {contact.address} yet")
    if not same:
        return [Put(replace(record, judgement=Judgement.DIFFERENT))]
    return [Put(replace(record, judgement=Judgement.SAME)), Put(compared(contact, now_ms))]


def _nothing(between: Between, moment: Moment) -> ComparisonRecord:
    return ComparisonRecord(peer=between.peer.genesis.hex, since_ms=moment.now_ms, epoch=between.epoch)


def _bound(record: ComparisonRecord, between: Between, moment: Moment) -> list[Effect]:
    """Return a comparison after one side's part was added: once it has both, ours is revealed, for the first time."""
    if record.mine is None or record.theirs is None:
        return [Put(record)]
    early = record.early
    taken = None if early is None else _taken(record, early[0], bytes.fromhex(early[1]))
    return [Put(taken or replace(record, early=None)), _reveal(record, between, moment)]


def _taken(record: ComparisonRecord, mine: str, random: bytes) -> ComparisonRecord | None:
    """Return the comparison with the other side's bytes, if those are what it was bound to."""
    peer, committed = Genesis.from_hex(record.peer), record.commitment or b""
    if mine != record.theirs or not keeps(peer, committed, random):
        return None
    return replace(record, their_random=random, early=None)


def _owed_again(record: ComparisonRecord, between: Between, moment: Moment) -> list[Effect]:
    """Send once more what the other side may have lost: the very same comparison, and the very same bytes."""
    message = decode_body(Kind.COMPARISON, record.body or b"")
    again: list[Effect] = [send_of(message, deliver=True, keep=False)]
    return again if record.theirs is None else [*again, _reveal(record, between, moment)]


def _reveal(record: ComparisonRecord, between: Between, moment: Moment) -> Send:
    message = Reveal(
        head=_head(between, moment, 2),
        mine=Digest.from_hex(record.mine or ""),
        yours=Digest.from_hex(record.theirs or ""),
        random=record.random or b"",
    )
    return send_of(message, deliver=True, keep=False)


def _head(between: Between, moment: Moment, number: int) -> Head:
    return head_of(
        between.own,
        between.peer,
        edge=between.edge,
        about=None,
        now_ms=moment.now_ms,
        nonce=moment.nonce(number),
        expires_ms=moment.now_ms + LIFE_MS,
    )
