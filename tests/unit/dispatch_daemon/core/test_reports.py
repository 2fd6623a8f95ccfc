"""Only the recipient's signed answers move a sent dispatch: in their order, along the table, each once."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import reports
from dispatch_daemon.core.effects import Effect, Note, Plan, SettleAbout, TaskKind, Unplan
from dispatch_daemon.core.records import AnswerRecord, DispatchRecord, RunRecord
from dispatch_daemon.core.reports import Report
from dispatch_protocol.lifecycle import DispatchState, RunState
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.follow_on import Ack, Cancel
from dispatch_protocol.messages.trace import EventType
from tests.support.answers import (
    HEAD,
    RECORD,
    accepted,
    declined,
    receipt,
    receive,
    record_after,
    warnings,
)
from tests.support.desk import ALICE_OWN, BOB_PEER, at, puts, sends, sent, signed
from tests.support.documents import ALICE, BOB, HOUR_MS, NOW_MS

S, R = DispatchState, ReceiptType


# -- what an answer is ---------------------------------------------------------------------------------


def test_answer_of_the_journal_is_read_from_the_bytes_that_were_signed() -> None:
    came = accepted()
    again = Report.of(came.signed)
    assert (again.message, again.digest) == (came.message, came.signed.digest.hex)


@pytest.mark.parametrize(
    "other",
    [
        signed(Cancel(head=replace(HEAD, sender=ALICE.party, recipient=BOB.recipient))),
        replace(accepted().signed, payload_type="text/plain"),
    ],
)
def test_anything_else_is_no_answer(other: Any) -> None:
    with pytest.raises(TypeError):
        Report.of(other)


def test_answer_is_kept_as_signed_with_its_place_and_its_word() -> None:
    came = accepted()
    (kept,) = puts(receive(came), AnswerRecord)
    assert (kept.signed, kept.digest, kept.about) == (came.signed.encode(), came.digest, RECORD.digest)
    assert (kept.kind, kept.type, kept.device, kept.seq, kept.held) == (
        "decision",
        "accepted",
        BOB.device.hex,
        1,
        False,
    )


# -- presumed expiry -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (receipt(R.DELIVERED), S.DELIVERED),
        (accepted(), S.ACCEPTED),
        (declined(), S.DECLINED),
        (receipt(R.REFUSED), S.REFUSED),
        (receipt(R.CANCELLED), S.CANCELLED),
    ],
)
def test_answer_corrects_a_presumed_expiry(answer: Report, state: DispatchState) -> None:
    assert record_after(receive(answer, sent(S.EXPIRED))).state is state


def test_signed_expiry_confirms_the_presumed_one() -> None:
    effects = receive(receipt(R.EXPIRED), sent(S.EXPIRED))
    assert record_after(effects).state is S.EXPIRED
    assert warnings(effects) == 0
    assert SettleAbout(RECORD.digest) in effects


@pytest.mark.parametrize("state", [S.EXPIRED, S.REFUSED, S.CANCELLED])
@pytest.mark.parametrize(
    ("expires_ms", "latest_ms"),
    [
        (NOW_MS - HOUR_MS, NOW_MS + 100 + EXPIRY_GRACE_MS),
        (NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + 1 + EXPIRY_GRACE_MS),
    ],
)
def test_silence_after_an_unexpected_sign_of_life_has_a_deadline(
    state: DispatchState, expires_ms: int, latest_ms: int
) -> None:
    effects = receive(receipt(R.DELIVERED), sent(state, expires_ms=expires_ms))
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.key, plan.not_before_ms) == (TaskKind.EXPIRE, RECORD.digest, latest_ms)


# -- an end that nobody has signed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (receipt(R.DELIVERED), S.DELIVERED),
        (receipt(R.REFUSED), S.REFUSED),
        (receipt(R.CANCELLED), S.CANCELLED),
        (declined(), S.DECLINED),
        (accepted(), S.ACCEPTED),
    ],
)
@pytest.mark.parametrize("before", [S.REFUSED, S.CANCELLED])
def test_answer_proves_that_it_had_left_and_is_followed(
    answer: Report, state: DispatchState, before: DispatchState
) -> None:
    effects = receive(answer, sent(before, ended_code="daily_limit", ended_detail="50 a day"))
    after = record_after(effects)
    assert after.state is state
    assert after.ended_code in (None, "edge_revoked")
    assert warnings(effects) == 1


def test_surprise_is_told_once() -> None:
    effects = receive(FIRST, sent(S.REFUSED), held=(SECOND,))
    told = [each.data for each in effects if isinstance(each, Note) and each.type is EventType.WARNING]
    assert told == [{"warning": "taken for refused here, and delivered all the same"}]
    assert (
        warnings(receive(SECOND, sent(S.REFUSED))) == 0
    )  # it waits for the first one, and moves nothing yet
    assert warnings(receive(SECOND, sent(S.DELIVERED, answer_seq=1), taken=(FIRST,))) == 0


def test_cancel_of_what_seemed_never_to_have_left_becomes_a_request() -> None:
    effects = receive(receipt(R.DELIVERED), sent(S.CANCELLED))
    after = record_after(effects)
    assert (after.state, after.cancel_requested) == (S.DELIVERED, True)
    (said,) = sends(effects)
    assert isinstance(said, Cancel)
    assert said.head.re.hex == RECORD.digest


def test_cancel_that_may_have_overtaken_its_task_is_said_again_when_the_task_has_arrived() -> None:
    (said,) = sends(receive(receipt(R.DELIVERED), sent(cancel_requested=True)))
    assert isinstance(said, Cancel)
    assert sends(receive(accepted(), sent(cancel_requested=True))) == []
    assert sends(receive(declined(2, FIRST), sent(cancel_requested=True), held=(), taken=(FIRST,)))[0] != said


# -- order ---------------------------------------------------------------------------------------------

FIRST = receipt(R.DELIVERED)
SECOND = accepted(2, FIRST)
THIRD = receipt(R.STARTED, 3, SECOND)


def test_answer_before_its_predecessor_is_kept_and_moves_nothing() -> None:
    effects = receive(SECOND)
    (kept,) = puts(effects, AnswerRecord)
    assert (kept.held, kept.seq) == (True, 2)
    assert record_after(effects).state is S.SENT
    assert record_after(effects).last_heard_ms == NOW_MS + 100


def test_predecessor_brings_everything_that_waited_for_it() -> None:
    effects = receive(FIRST, held=(SECOND, THIRD))
    assert [(kept.seq, kept.held) for kept in puts(effects, AnswerRecord)] == [
        (1, False),
        (2, False),
        (3, False),
    ]
    assert record_after(effects).state is S.ACCEPTED
    assert puts(effects, RunRecord)[-1].state is RunState.RUNNING


def test_known_answer_changes_nothing() -> None:
    effects = receive(FIRST, sent(S.DELIVERED), taken=(FIRST,))
    assert puts(effects, AnswerRecord) == []
    assert record_after(effects).state is S.DELIVERED


@pytest.mark.parametrize(
    ("answer", "taken", "held"),
    [
        (declined(), (FIRST,), ()),
        (declined(2, FIRST), (), (SECOND,)),
        (accepted(2, declined()), (FIRST,), ()),
    ],
)
def test_answer_that_contradicts_the_chain_is_kept_as_evidence_outside_it(
    answer: Report, taken: tuple[Report, ...], held: tuple[Report, ...]
) -> None:
    effects = receive(answer, sent(S.DELIVERED), taken=taken, held=held)
    assert record_after(effects).state is S.DELIVERED
    (kept,) = puts(effects, AnswerRecord)
    assert (kept.digest, kept.seq, kept.signed) == (answer.digest, 0, answer.signed.encode())
    assert warnings(effects) == 1


def test_waiting_answer_of_another_history_gives_its_place_back() -> None:
    other = accepted(2, declined())
    effects = receive(FIRST, held=(other,))
    kept = {record.digest: record.seq for record in puts(effects, AnswerRecord)}
    assert kept == {FIRST.digest: 1, other.digest: 0}
    assert record_after(effects).state is S.DELIVERED


def test_author_remembers_the_last_answer_in_its_chain() -> None:
    after = record_after(receive(FIRST, held=(SECOND,)))
    assert (after.answer_seq, after.answer_head) == (2, SECOND.digest)


# -- acknowledging -------------------------------------------------------------------------------------


def test_final_answer_is_acknowledged_and_ends_what_is_owed() -> None:
    effects = receive(declined())
    (ack,) = sends(effects)
    assert isinstance(ack, Ack)
    assert (ack.device, ack.seq, ack.head.re.hex) == (BOB.device, 1, RECORD.digest)
    assert SettleAbout(RECORD.digest) in effects
    assert Unplan(TaskKind.EXPIRE, RECORD.digest) in effects


def test_answer_on_the_way_is_not_acknowledged() -> None:
    assert sends(receive(accepted())) == []


def test_one_acknowledgement_is_for_all_that_came_together() -> None:
    effects = receive(FIRST, sent(S.DELIVERED), held=(declined(2, FIRST),))
    (ack,) = sends(effects)
    assert isinstance(ack, Ack)
    assert ack.seq == 2


def again(state: DispatchState, taken: int) -> list[Effect]:
    return reports.acknowledge_again(sent(state), FIRST, taken, ALICE_OWN, BOB_PEER, at(NOW_MS + 100))


def test_repeated_answer_of_what_is_over_has_everything_acknowledged_again() -> None:
    (ack,) = sends(again(S.DECLINED, 2))
    assert isinstance(ack, Ack)
    assert (ack.device, ack.seq) == (BOB.device, 2)
    assert puts(again(S.DECLINED, 2), DispatchRecord) == []


@pytest.mark.parametrize(("state", "taken"), [(S.ACCEPTED, 2), (S.DECLINED, 0)])
def test_repeated_answer_on_the_way_or_outside_the_chain_needs_nothing(
    state: DispatchState, taken: int
) -> None:
    assert again(state, taken) == []


def test_answer_to_a_task_that_seems_still_queued_shows_that_it_was_sent() -> None:
    assert record_after(receive(receipt(R.DELIVERED), sent(S.QUEUED))).state is S.DELIVERED
