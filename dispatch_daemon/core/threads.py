"""Threads: what two people say about their dispatches, from either side, each word kept once and shown where it belongs.

Words are data: they move no table and start nothing. What is written is owed until the other side has said that it
holds it, or its time is over; what arrives is kept together with that answer. That a thread is the same on both sides
follows from the task, whose author signed its name.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from dispatch_daemon.core.composing import Moment, Own, Peer, head_of, send_of
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, Settle, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord, MessageRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.limits import EXPIRY_GRACE_MS, MESSAGE_S, THREAD_MESSAGES
from dispatch_protocol.messages.follow_on import Heard, Message
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import Signed
from dispatch_protocol.timestamps import format_time, time_or_none

LOST = "a message was not taken in on the other side in time"


def require_open(record: DispatchRecord) -> None:
    """Refuse to write about a dispatch that the other side does not hold.

    Raises:
        ServiceError: `not_delivered` while nobody has answered, `not_pending` for what was refused.
    """
    if record.state is DispatchState.REFUSED:
        raise ServiceError("not_pending", "this dispatch was refused, so nobody there has it to speak about")
    if record.box is Box.SENT and not record.answer_seq:
        raise ServiceError(
            "not_delivered",
            f"{record.address} does not have this dispatch yet: it is {record.state}",
            hint=f"dispatch watch {record.dispatch_id[:8]}",
        )


def write(
    record: DispatchRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    text: str,
    surface: str,
    said: Sequence[MessageRecord],
    idempotency_key: str | None = None,
) -> tuple[MessageRecord, list[Effect]]:
    """Return new words about a dispatch, signed and owed; `said` is everything about it so far.

    Raises:
        ServiceError: as `require_open`; `thread_full` if this side has said all that is taken in.
    """
    require_open(record)
    if sum(each.ours for each in said) >= THREAD_MESSAGES:
        raise ServiceError(
            "thread_full",
            f"you have written {THREAD_MESSAGES} messages about this dispatch, and no more are taken in",
            hint=f"dispatch followup {record.dispatch_id[:8]} TASK",
        )
    device, now_ms = own.device.hex, moment.now_ms
    seq = max((each.seq for each in said if each.device == device), default=0) + 1
    head = head_of(
        own,
        peer,
        edge=record.edge,
        about=record.digest,
        now_ms=now_ms,
        nonce=moment.nonce(),
        expires_ms=now_ms + MESSAGE_S * 1000,
    )
    words = Message(head=head, thread=UUID(record.thread_id), seq=seq, text=text, surface=surface)
    alone = record.box is Box.OWN  # nobody else has to be told
    send = send_of(words, deliver=not alone, keep=False)
    message = MessageRecord(
        digest=send.digest,
        about=record.digest,
        ours=True,
        device=device,
        seq=seq,
        signed=b"",
        at_ms=now_ms,
        expires_ms=head.expires_ms,
        held_ms=now_ms if alone else None,
        idempotency_key=idempotency_key,
    )
    latest_ms = head.expires_ms + EXPIRY_GRACE_MS + 1
    deadline = Plan(kind=TaskKind.EXPIRE, key=message.digest, not_before_ms=latest_ms, payload={})
    return message, [Put(message), send, *([] if alone else [deadline])]


def arrived(
    record: DispatchRecord,
    words: Message,
    signed: Signed,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    theirs: int,
) -> list[Effect]:
    """Keep words of the other side and owe the answer that they are held; nothing for what does not belong here.

    `theirs` counts what is held of that side about this dispatch.
    """
    if str(words.thread) != record.thread_id or theirs >= THREAD_MESSAGES:
        return []
    message = MessageRecord(
        digest=signed.digest.hex,
        about=record.digest,
        ours=False,
        device=words.head.sender.device.hex,
        seq=words.seq,
        signed=signed.encode(),
        at_ms=moment.now_ms,
        expires_ms=words.head.expires_ms,
    )
    return [Put(message), *held(record, message, own, peer, moment)]


def held(
    record: DispatchRecord, message: MessageRecord, own: Own, peer: Peer, moment: Moment
) -> list[Effect]:
    """Say that words of the other side are here; said anew when they come again."""
    digest = Signed.decode(message.signed).digest
    head = head_of(
        own, peer, edge=record.edge, about=record.digest, now_ms=moment.now_ms, nonce=moment.nonce()
    )
    return [send_of(Heard(head=head, message=digest), deliver=True, keep=False)]


def heard(message: MessageRecord, signed: Signed, now_ms: int) -> list[Effect]:
    """Take in that our words have arrived: they are owed no more, and what says so is kept. The first time counts."""
    if not message.ours or message.held_ms is not None:
        return []
    return [
        Put(replace(message, held_ms=now_ms, receipt=signed.encode())),
        Settle(message.digest),
        Unplan(TaskKind.EXPIRE, message.digest),
    ]


def overdue(message: MessageRecord, now_ms: int) -> list[Effect]:
    """Give words up that nobody has taken in before their time was over, and say so in the trace."""
    done: list[Effect] = [Unplan(TaskKind.EXPIRE, message.digest)]
    if message.held_ms is not None:
        return done
    data: dict[str, JSON] = {"warning": LOST, "digest": message.digest}
    return [*done, Settle(message.digest), Note(message.about, now_ms, EventType.WARNING, data)]


def read(said: Sequence[MessageRecord], last: str, now_ms: int) -> list[Effect]:
    """Note that everything up to `last` (a digest) was read here.

    Raises:
        ServiceError: `not_found`, there is no such message.
    """
    digests = [each.digest for each in said]
    if last not in digests:
        raise ServiceError("not_found", "no message of this dispatch has that id")
    shown = said[: digests.index(last) + 1]
    return [Put(replace(each, read_ms=now_ms)) for each in shown if is_unread(each)]


def is_unread(message: MessageRecord) -> bool:
    """Say whether words of the other side still wait to be read."""
    return not message.ours and message.read_ms is None


def message_of(message: MessageRecord) -> Message:
    """Return the words as they were signed."""
    words = decode_body(Kind.MESSAGE, Signed.decode(message.signed).body)
    assert isinstance(words, Message)  # noqa: S101 - what a message record holds
    return words


def views(
    said: Sequence[MessageRecord], record: DispatchRecord, *, me: str, now_ms: int
) -> list[dict[str, JSON]]:
    """Return what was said about a dispatch, in the order in which it came to be here; `me` is one's own address."""
    tops: dict[str, int] = {}
    shown: list[dict[str, JSON]] = []
    for each in said:
        missing = _missing(each, said, tops.get(each.device, 0))
        tops[each.device] = max(each.seq, tops.get(each.device, 0))
        shown.append(_view(each, record, me=me, now_ms=now_ms) | {"missing_before": missing})
    return shown


def _missing(message: MessageRecord, said: Sequence[MessageRecord], top: int) -> int:
    """Count what the same device has said between its last words shown and these, and what is not here."""
    if message.seq <= top:
        return 0
    known = {each.seq for each in said if each.device == message.device and top < each.seq < message.seq}
    return message.seq - top - 1 - len(known)


def _view(message: MessageRecord, record: DispatchRecord, *, me: str, now_ms: int) -> dict[str, JSON]:
    words = message_of(message)
    return {
        "message_id": message.digest,
        "dispatch_id": record.dispatch_id,
        "mine": message.ours,
        "from": me if message.ours else record.address,
        "device": message.device,
        "seq": message.seq,
        "text": words.text,
        "surface": words.surface,
        "audience": words.audience,
        "at": format_time(message.at_ms),
        "state": _state(message, now_ms),
        "held_at": time_or_none(message.held_ms),
        "unread": is_unread(message),
    }


def _state(message: MessageRecord, now_ms: int) -> str:
    """Say in one word where words stand: here, on their way, held on the other side, or lost."""
    if not message.ours:
        return "received"
    if message.held_ms is not None:
        return "held"
    return "owed" if now_ms <= message.expires_ms + EXPIRY_GRACE_MS else "lost"
