"""Decisions are made once, by the right party, while there is time; whatever else ends a dispatch says so."""

from collections.abc import Callable

import pytest

from dispatch_daemon.core import decisions
from dispatch_daemon.core.effects import (
    Effect,
    Note,
    Plan,
    Resolve,
    Send,
    Settle,
    StopRun,
    TaskKind,
    Unplan,
)
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.questions import run_paths, scopes_of
from dispatch_daemon.core.records import ApprovalRecord, ApprovalState, DispatchRecord, RunRecord
from dispatch_daemon.core.rundir import RunDirectory
from dispatch_daemon.core.shared_records import DeedRecord
from dispatch_daemon.core.siblings import ALONE, Shared
from dispatch_protocol.lifecycle import DispatchState, RunState
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.follow_on import Cancel
from dispatch_protocol.messages.shared_work import Deed
from dispatch_protocol.messages.trace import EventType
from tests.support.desk import (
    ALICE_OWN,
    ALICE_PEER,
    BOB_OWN,
    BOB_PEER,
    MOMENT,
    SCOPES,
    approval,
    at,
    own_job,
    puts,
    received,
    run,
    sends,
    sent,
)
from tests.support.documents import BOB, HOUR_MS, NOW_MS, person, task

LAST_MS = NOW_MS + HOUR_MS + EXPIRY_GRACE_MS
PLACE = RunDirectory("/src", (("/src", "rw"),))
UNDECIDED = [state for state in DispatchState if state is not DispatchState.DELIVERED]


def accept(
    record: DispatchRecord, now_ms: int = NOW_MS, shared: Shared = ALONE
) -> tuple[RunRecord, list[Effect]]:
    return decisions.accept(
        record, BOB_OWN, ALICE_PEER, at(now_ms), scopes=SCOPES, place=PLACE, agent="steps", shared=shared
    )


def decline(record: DispatchRecord, shared: Shared = ALONE) -> list[Effect]:
    return decisions.decline(record, BOB_OWN, ALICE_PEER, MOMENT, reason="not today", shared=shared)


def cancel_received(
    record: DispatchRecord, its_run: RunRecord | None, *approvals: ApprovalRecord, by: str = "author"
) -> list[Effect]:
    return decisions.cancel_received(
        record, its_run, approvals, BOB_OWN, ALICE_PEER, MOMENT, by=by, code="cancelled", detail="enough"
    )


def state_after(effects: list[Effect]) -> DispatchState:
    return puts(effects, DispatchRecord)[-1].state


def code_of(raised: pytest.ExceptionInfo[ServiceError]) -> str:
    return raised.value.code


# -- accepting -----------------------------------------------------------------------------------------


def test_yes_is_signed_and_owes_one_run() -> None:
    accepted_run, effects = accept(received())
    (said,) = sends(effects)
    assert isinstance(said, Decision)
    assert (said.decision, said.mode) == (Verdict.ACCEPTED, Mode.MANUAL)
    assert str(said.run_id) == accepted_run.run_id
    assert puts(effects, RunRecord) == [accepted_run]
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.key) == (TaskKind.RUN, accepted_run.run_id)


def test_yes_ends_the_wait_for_a_decision() -> None:
    _, effects = accept(received())
    (record,) = puts(effects, DispatchRecord)
    assert (record.state, record.accepted_decisions) == (DispatchState.ACCEPTED, 1)
    assert record.decision == {
        "mode": "manual",
        "target": "/src",
        "async": True,
        "reason": None,
        "asks_because": None,
    }
    assert Unplan(TaskKind.EXPIRE, record.digest) in effects


def test_run_keeps_the_scopes_and_the_place_of_its_start() -> None:
    accepted_run, _ = accept(received())
    assert (accepted_run.state, accepted_run.cwd, accepted_run.device) == (
        RunState.QUEUED,
        "/src",
        BOB.device.hex,
    )
    assert scopes_of(accepted_run) == SCOPES
    assert run_paths(accepted_run) == [("/src", "rw")]


def test_yes_counts_to_the_end_of_the_grace_and_no_longer() -> None:
    _, effects = accept(received(), LAST_MS)
    assert state_after(effects) is DispatchState.ACCEPTED
    with pytest.raises(ServiceError) as raised:
        accept(received(), LAST_MS + 1)
    assert code_of(raised) == "expired"


def test_dispatch_without_an_expiry_can_always_be_accepted() -> None:
    _, effects = accept(own_job(expires_ms=0), NOW_MS * 2)
    assert state_after(effects) is DispatchState.ACCEPTED


def test_only_the_device_that_the_task_names_runs_it() -> None:
    with pytest.raises(ServiceError) as raised:
        accept(received(task=task(owner_device=person("bob's phone").device)))
    assert code_of(raised) == "not_owner"


# -- deciding at all -----------------------------------------------------------------------------------


def test_no_is_signed_with_its_reason() -> None:
    effects = decline(received())
    (said,) = sends(effects)
    assert isinstance(said, Decision)
    assert (said.decision, said.reason, said.run_id) == (Verdict.DECLINED, "not today", None)
    (record,) = puts(effects, DispatchRecord)
    assert record.state is DispatchState.DECLINED
    assert record.decision == {"mode": None, "target": None, "async": False, "reason": "not today"}
    assert Unplan(TaskKind.EXPIRE, record.digest) in effects


def test_empty_reason_is_no_reason() -> None:
    (no,) = sends(decisions.decline(received(), BOB_OWN, ALICE_PEER, MOMENT, reason="", shared=ALONE))
    (stop,) = sends(decisions.cancel_sent(sent(), ALICE_OWN, BOB_PEER, MOMENT, reason=""))
    assert isinstance(no, Decision)
    assert isinstance(stop, Cancel)
    assert (no.reason, stop.reason) == (None, None)


@pytest.mark.parametrize("decide", [accept, decline])
@pytest.mark.parametrize("state", UNDECIDED)
def test_what_is_not_waiting_for_a_decision_takes_none(
    decide: Callable[[DispatchRecord], object], state: DispatchState
) -> None:
    with pytest.raises(ServiceError) as raised:
        decide(received(state))
    assert code_of(raised) == "not_pending"


@pytest.mark.parametrize("decide", [accept, decline])
@pytest.mark.parametrize("state", list(DispatchState))
def test_author_never_decides(decide: Callable[[DispatchRecord], object], state: DispatchState) -> None:
    with pytest.raises(ServiceError) as raised:
        decide(sent(state))
    assert code_of(raised) == "wrong_party"


# -- ending what never left ----------------------------------------------------------------------------


def test_dispatch_that_the_relay_refuses_is_over_with_its_reason() -> None:
    effects = decisions.refuse_unsent(
        sent(DispatchState.QUEUED), NOW_MS, code="daily_limit", detail="50 a day"
    )
    (record,) = puts(effects, DispatchRecord)
    assert (record.state, record.ended_code, record.ended_detail) == (
        DispatchState.REFUSED,
        "daily_limit",
        "50 a day",
    )
    assert Settle(record.digest) in effects
    assert Unplan(TaskKind.EXPIRE, record.digest) in effects


def cancel_sent(record: DispatchRecord) -> list[Effect]:
    return decisions.cancel_sent(record, ALICE_OWN, BOB_PEER, MOMENT, reason="changed my mind")


def test_what_never_left_is_cancelled_at_once() -> None:
    effects = cancel_sent(sent(DispatchState.QUEUED))
    assert state_after(effects) is DispatchState.CANCELLED
    assert sends(effects) == []
    assert Settle(sent().digest) in effects
    assert Unplan(TaskKind.EXPIRE, sent().digest) in effects


# -- cancelling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [DispatchState.SENT, DispatchState.DELIVERED, DispatchState.ACCEPTED])
def test_cancel_of_what_was_sent_is_a_request_and_moves_nothing(state: DispatchState) -> None:
    effects = cancel_sent(sent(state))
    (record,) = puts(effects, DispatchRecord)
    assert (record.state, record.cancel_requested) == (state, True)
    (said,) = sends(effects)
    assert isinstance(said, Cancel)
    assert (said.head.re.hex, said.reason) == (record.digest, "changed my mind")
    assert any(isinstance(effect, Send) and effect.deliver and effect.keep for effect in effects)


def test_cancel_is_asked_for_once() -> None:
    assert cancel_sent(sent(cancel_requested=True)) == []


@pytest.mark.parametrize("state", decisions.ENDED)
def test_what_is_over_is_not_cancelled(state: DispatchState) -> None:
    with pytest.raises(ServiceError) as raised:
        cancel_sent(sent(state))
    assert code_of(raised) == "not_pending"


def test_undecided_dispatch_ends_when_its_author_cancels() -> None:
    effects = cancel_received(received(), None)
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, said.code, said.detail) == (ReceiptType.CANCELLED, "cancelled", "enough")
    assert state_after(effects) is DispatchState.CANCELLED
    assert Unplan(TaskKind.EXPIRE, received().digest) in effects


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.WAITING_APPROVAL])
def test_cancelled_run_is_killed_and_discarded(state: RunState) -> None:
    effects = cancel_received(received(DispatchState.ACCEPTED), run(state), by="recipient")
    (stopped,) = puts(effects, RunRecord)
    assert (stopped.state, stopped.code, stopped.ended_ms) == (RunState.CANCELLED, "cancelled", NOW_MS)
    assert state_after(effects) is DispatchState.FINISHED
    assert StopRun(stopped.run_id, "cancelled") in effects
    assert Unplan(TaskKind.RUN, stopped.run_id) in effects
    assert Unplan(TaskKind.HEARTBEAT, stopped.run_id) in effects
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, str(said.run_id)) == (ReceiptType.CANCELLED, stopped.run_id)
    noted = [effect.type for effect in effects if isinstance(effect, Note)]
    assert noted == [EventType.CANCEL_REQUESTED, EventType.DISCARDED]


def test_cancelled_run_leaves_no_question_open() -> None:
    decided = approval(request_id="b", state=ApprovalState.APPROVED)
    effects = cancel_received(received(DispatchState.ACCEPTED), run(), approval(), decided)
    (withdrawn,) = puts(effects, ApprovalRecord)
    assert (withdrawn.request_id, withdrawn.state) == (approval().request_id, ApprovalState.WITHDRAWN)
    assert Resolve(withdrawn.request_id) in effects
    assert Unplan(TaskKind.ANSWER_DEADLINE, withdrawn.request_id) in effects


def test_apply_that_has_begun_is_not_cancelled() -> None:
    effects = cancel_received(received(DispatchState.ACCEPTED), run(RunState.APPLYING))
    (note,) = effects
    assert isinstance(note, Note)
    assert note.type is EventType.CANCEL_REQUESTED


@pytest.mark.parametrize("state", decisions.ENDED)
def test_cancel_of_what_is_over_changes_nothing(state: DispatchState) -> None:
    assert cancel_received(received(state), run(RunState.COMPLETED)) == []


def test_cancel_of_what_has_no_run_yet_changes_nothing() -> None:
    assert cancel_received(received(DispatchState.ACCEPTED), None) == []


def test_what_another_device_has_decided_is_not_decided_here() -> None:
    deed = DeedRecord(
        digest=received().digest,
        device="ab" * 32,
        deed=Deed.ACCEPTED,
        done_ms=NOW_MS,
        run_id=run().run_id,
    )
    elsewhere = Shared(deeds=(deed,), active=frozenset({deed.device}))
    for decide in (lambda: accept(received(), shared=elsewhere), lambda: decline(received(), elsewhere)):
        with pytest.raises(ServiceError) as raised:
            decide()
        assert code_of(raised) == "decided_elsewhere"


def test_who_is_not_to_run_it_ends_it_without_a_word() -> None:
    effects = decisions.cancel_received(
        received(), None, (), BOB_OWN, ALICE_PEER, MOMENT, by="author", speaks=False
    )
    assert state_after(effects) is DispatchState.CANCELLED
    assert sends(effects) == []
    assert Unplan(TaskKind.EXPIRE, received().digest) in effects
