"""Silence has a deadline on both sides, and every look at the clock owes the next one until it can end nothing."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import expiry
from dispatch_daemon.core.effects import Effect, Note, SettleAbout, TaskKind, Unplan
from dispatch_daemon.core.records import DispatchRecord
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from tests.support.desk import (
    ALICE_OWN,
    ALICE_PEER,
    BOB_OWN,
    BOB_PEER,
    at,
    own_job,
    puts,
    received,
    sends,
    sent,
)
from tests.support.documents import HOUR_MS, NOW_MS

LAST_MS = NOW_MS + HOUR_MS + EXPIRY_GRACE_MS
DONE = Unplan(TaskKind.EXPIRE, received().digest)


def look(record: DispatchRecord, now_ms: int) -> list[Effect]:
    """Look at the clock on the side that holds the record."""
    own, peer = (ALICE_OWN, BOB_PEER) if record.box == sent().box else (BOB_OWN, ALICE_PEER)
    return expiry.look(record, own, peer, at(now_ms))


def test_undecided_dispatch_ends_with_a_signed_word_when_its_time_is_up() -> None:
    effects = look(received(), LAST_MS + 1)
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, said.code) == (ReceiptType.EXPIRED, "expired")
    assert [record.state for record in puts(effects, DispatchRecord)] == [DispatchState.EXPIRED]
    assert Unplan(TaskKind.EXPIRE, received().digest) in effects


def test_an_undecided_dispatch_in_time_is_looked_at_again() -> None:
    assert look(received(), LAST_MS) == [expiry.expiry_plan(received())]


def test_a_decided_dispatch_is_looked_at_no_more() -> None:
    assert look(received(DispatchState.ACCEPTED), LAST_MS + 1) == [DONE]


@pytest.mark.parametrize(
    ("state", "now_ms", "presumed"),
    [
        (DispatchState.QUEUED, NOW_MS + HOUR_MS, False),
        (DispatchState.SENT, LAST_MS + 1, True),
        (DispatchState.DELIVERED, LAST_MS + 1, True),
    ],
)
def test_author_takes_silence_for_expiry(state: DispatchState, now_ms: int, presumed: bool) -> None:
    effects = look(sent(state), now_ms)
    assert [record.state for record in puts(effects, DispatchRecord)] == [DispatchState.EXPIRED]
    assert SettleAbout(sent().digest) in effects
    (note,) = [effect for effect in effects if isinstance(effect, Note)]
    assert note.data == {"status": "expired", "presumed": presumed}
    assert Unplan(TaskKind.EXPIRE, sent().digest) in effects


@pytest.mark.parametrize(
    ("state", "now_ms"),
    [
        (DispatchState.QUEUED, NOW_MS + HOUR_MS - 1),
        (DispatchState.SENT, NOW_MS + HOUR_MS),
        (DispatchState.SENT, LAST_MS),
        (DispatchState.DELIVERED, LAST_MS),
    ],
)
def test_author_waits_as_long_as_an_answer_may_come_and_then_looks_again(
    state: DispatchState, now_ms: int
) -> None:
    (plan,) = look(sent(state), now_ms)
    assert plan == expiry.expiry_plan(sent(state))
    assert plan.not_before_ms == LAST_MS + 1


@pytest.mark.parametrize("record", [sent(DispatchState.ACCEPTED), sent(DispatchState.SENT, expires_ms=0)])
def test_author_looks_no_more_at_what_silence_cannot_end(record: DispatchRecord) -> None:
    assert look(record, LAST_MS + 1) == [Unplan(TaskKind.EXPIRE, record.digest)]


def test_ones_own_job_without_an_end_never_expires() -> None:
    job = replace(own_job(), expires_ms=0)
    assert not expiry.is_expired(job, LAST_MS * 2)
    assert look(job, LAST_MS * 2) == [Unplan(TaskKind.EXPIRE, job.digest)]


def test_only_what_waits_and_has_an_end_may_expire() -> None:
    waiting = {DispatchState.QUEUED, DispatchState.SENT, DispatchState.DELIVERED}
    assert {state for state in DispatchState if expiry.may_expire(sent(state))} == waiting
    assert not expiry.may_expire(sent(expires_ms=0))


def test_what_another_device_of_ours_has_decided_does_not_expire_here() -> None:
    record = received()
    assert expiry.look(record, BOB_OWN, ALICE_PEER, at(LAST_MS + 1), elsewhere=True) == [DONE]
