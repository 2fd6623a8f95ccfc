"""Words of both sides: signed, owed until they are held, kept once, and never more than words."""

from dataclasses import replace
from uuid import UUID

import pytest

from dispatch_daemon.core import threads
from dispatch_daemon.core.effects import Effect, Note, Plan, Send, Settle, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord, MessageRecord
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.limits import EXPIRY_GRACE_MS, THREAD_MESSAGES
from dispatch_protocol.messages.follow_on import Heard, Message
from dispatch_protocol.messages.trace import EventType
from tests.support.desk import (
    ALICE_OWN,
    ALICE_PEER,
    BOB_OWN,
    BOB_PEER,
    MOMENT,
    at,
    own_job,
    puts,
    received,
    sends,
    sent,
    signed,
)
from tests.support.documents import ALICE, BOB, NOW_MS, THREAD, digest, head

WEEK_MS = 7 * 86_400_000
DELIVERED = sent(DispatchState.DELIVERED, answer_seq=1)


def written(record: DispatchRecord = DELIVERED, said: tuple[MessageRecord, ...] = (), **more: str):
    """Let Alice write about a dispatch of hers."""
    return threads.write(
        record, ALICE_OWN, BOB_PEER, MOMENT, **({"text": "hi", "surface": "cli"} | more), said=said
    )


def complete(message: MessageRecord, effects: list[Effect]) -> MessageRecord:
    """Return a message with the signature that the performer gives it."""
    (words,) = sends(effects)
    return replace(message, signed=signed(words).encode())


def theirs(seq: int = 1, **more: object) -> MessageRecord:
    """Return words of Alice's as Bob holds them."""
    words = Message(head=head(re=digest("dispatch")), thread=THREAD, seq=seq, text=f"number {seq}")
    effects = arrived(words)
    return replace(puts(effects, MessageRecord)[0], **more)


def arrived(words: Message, *, count: int = 0) -> list[Effect]:
    return threads.arrived(received(), words, signed(words), BOB_OWN, ALICE_PEER, MOMENT, theirs=count)


def test_words_are_signed_owed_and_have_a_deadline() -> None:
    message, effects = written(text="Only the first line.")
    (words,) = sends(effects)
    assert isinstance(words, Message)
    assert (words.text, words.thread, words.seq, words.surface, words.audience) == (
        *("Only the first line.", THREAD, 1),
        *("cli", "thread"),
    )
    assert (words.head.re.hex, words.head.expires_ms) == (DELIVERED.digest, NOW_MS + WEEK_MS)
    (send,) = [effect for effect in effects if isinstance(effect, Send)]
    assert send.deliver
    assert send.digest == message.digest
    assert (message.ours, message.held_ms, message.expires_ms) == (True, None, NOW_MS + WEEK_MS)
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.key) == (TaskKind.EXPIRE, message.digest)
    assert plan.not_before_ms > NOW_MS + WEEK_MS + EXPIRY_GRACE_MS


def test_each_device_numbers_what_it_says() -> None:
    first, _ = written()
    elsewhere = replace(first, device="ff", seq=7)
    assert written(said=(first, elsewhere))[0].seq == 2


def test_words_to_oneself_are_kept_and_go_nowhere() -> None:
    message, effects = written(own_job())
    assert message.held_ms == NOW_MS
    assert not any(isinstance(effect, Plan) for effect in effects)
    assert not any(effect.deliver for effect in effects if isinstance(effect, Send))


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (sent(DispatchState.QUEUED), "not_delivered"),
        (sent(DispatchState.SENT), "not_delivered"),
        (sent(DispatchState.EXPIRED), "not_delivered"),
        (sent(DispatchState.REFUSED, answer_seq=1), "not_pending"),
        (received(DispatchState.REFUSED), "not_pending"),
    ],
)
def test_nobody_writes_about_what_the_other_side_does_not_have(record: DispatchRecord, code: str) -> None:
    with pytest.raises(ServiceError) as raised:
        written(record)
    assert raised.value.code == code


@pytest.mark.parametrize(
    "record",
    [
        DELIVERED,
        sent(DispatchState.FINISHED, answer_seq=3),
        sent(DispatchState.DECLINED, answer_seq=2),
        received(DispatchState.DELIVERED),
        received(DispatchState.EXPIRED),
        own_job(),
    ],
)
def test_a_thread_is_open_as_long_as_both_hold_the_task(record: DispatchRecord) -> None:
    threads.require_open(record)


def test_one_side_says_so_much_and_no_more() -> None:
    first, _ = written()
    said = (*[first] * (THREAD_MESSAGES - 1), theirs(), theirs(2))
    written(said=said)
    with pytest.raises(ServiceError) as raised:
        written(said=(*said, first))
    assert raised.value.code == "thread_full"


def test_words_that_arrive_are_kept_and_told_as_held_in_one_decision() -> None:
    words = Message(head=head(re=digest("dispatch")), thread=THREAD, seq=4, text="hello")
    effects = arrived(words)
    (kept,) = puts(effects, MessageRecord)
    assert (kept.ours, kept.seq, kept.device, kept.at_ms) == (False, 4, ALICE.device.hex, NOW_MS)
    assert threads.message_of(kept) == words
    (heard,) = sends(effects)
    assert isinstance(heard, Heard)
    assert (heard.message.hex, heard.head.re.hex) == (kept.digest, received().digest)
    assert heard.head.sender.device == BOB.device
    assert len(effects) == 2, "and nothing else follows from words"


def test_words_of_another_thread_or_too_many_have_no_place() -> None:
    words = Message(head=head(re=digest("dispatch")), thread=THREAD, seq=1, text="hello")
    assert arrived(replace(words, thread=UUID(int=1))) == []
    assert arrived(words, count=THREAD_MESSAGES) == []
    assert arrived(words, count=THREAD_MESSAGES - 1)


def test_what_is_held_is_owed_no_more_and_the_first_time_counts() -> None:
    message, effects = written()
    message = complete(message, effects)
    says = signed(Heard(head=head(BOB, ALICE, re=digest("dispatch")), message=digest("m")), BOB)
    taken = threads.heard(message, says, NOW_MS + 5)
    (held,) = puts(taken, MessageRecord)
    assert (held.held_ms, held.receipt) == (NOW_MS + 5, says.encode())
    assert Settle(message.digest) in taken
    assert Unplan(TaskKind.EXPIRE, message.digest) in taken
    assert threads.heard(held, says, NOW_MS + 9) == []
    assert threads.heard(theirs(), says, NOW_MS) == []


def test_words_that_nobody_took_in_are_given_up_and_it_is_said() -> None:
    message, _ = written()
    late = threads.overdue(message, NOW_MS + WEEK_MS)
    assert Settle(message.digest) in late
    (note,) = [effect for effect in late if isinstance(effect, Note)]
    assert (note.type, note.digest) == (EventType.WARNING, DELIVERED.digest)
    assert threads.overdue(replace(message, held_ms=NOW_MS), NOW_MS) == [
        Unplan(TaskKind.EXPIRE, message.digest)
    ]


def test_reading_counts_up_to_what_was_shown() -> None:
    said = [theirs(1), complete(*written()), theirs(2), theirs(3)]
    read = puts(threads.read(said, said[2].digest, NOW_MS + 1), MessageRecord)
    assert [(each.seq, each.read_ms) for each in read] == [(1, NOW_MS + 1), (2, NOW_MS + 1)]
    assert threads.read([replace(said[0], read_ms=1)], said[0].digest, NOW_MS) == []
    with pytest.raises(ServiceError) as raised:
        threads.read(said, "00" * 32, NOW_MS)
    assert raised.value.code == "not_found"


def test_what_is_missing_is_shown_as_missing_and_a_number_used_twice_twice() -> None:
    said = [theirs(2), theirs(1), theirs(5), theirs(5), theirs(2**53 - 1)]
    shown = threads.views(said, received(), me="bob@example.org", now_ms=NOW_MS)
    assert [each["missing_before"] for each in shown] == [0, 0, 2, 0, 2**53 - 1 - 5 - 1]
    assert [each["text"] for each in shown][:3] == ["number 2", "number 1", "number 5"]


@pytest.mark.parametrize(
    ("more", "now_ms", "state"),
    [
        ({}, NOW_MS, "owed"),
        ({}, NOW_MS + WEEK_MS + EXPIRY_GRACE_MS + 1, "lost"),
        ({"held_ms": NOW_MS}, NOW_MS + 2 * WEEK_MS, "held"),
    ],
)
def test_ours_say_where_they_stand(more: dict[str, int], now_ms: int, state: str) -> None:
    message = replace(complete(*written()), **more)
    (shown,) = threads.views([message], DELIVERED, me="alice@example.org", now_ms=now_ms)
    assert (shown["state"], shown["mine"], shown["from"]) == (state, True, "alice@example.org")


def test_theirs_are_named_by_who_is_known_for_them() -> None:
    unread, read = threads.views(
        [theirs(1), theirs(2, read_ms=1)], received(), me="bob@example.org", now_ms=at(NOW_MS).now_ms
    )
    assert (unread["state"], unread["from"], unread["unread"]) == ("received", ALICE.email, True)
    assert (read["unread"], unread["dispatch_id"]) == (False, received().dispatch_id)
