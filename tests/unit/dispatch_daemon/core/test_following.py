"""One signed answer moves the dispatch and its run along the tables, or nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dispatch_daemon.core.effects import Note, Plan, Settle, TaskKind
from dispatch_daemon.core.following import Desk, take_in
from dispatch_daemon.core.records import RunRecord
from dispatch_daemon.core.reports import Report
from dispatch_protocol.lifecycle import DISPATCH, DispatchState, Outcome, RunState
from dispatch_protocol.messages.answers import PARKED, ReceiptType
from dispatch_protocol.messages.files import Artifact, Blob
from dispatch_protocol.messages.trace import (
    Change,
    ChangeOp,
    Confinement,
    Event,
    EventType,
    FileDiff,
)
from tests.support.answers import (
    HEAD,
    OTHER_RUN,
    RECORD,
    RUN_ID,
    accepted,
    declined,
    ended,
    known_run,
    receipt,
    receive,
    record_after,
    warnings,
)
from tests.support.desk import puts, sent
from tests.support.documents import BOB, NOW_MS, digest, fixed

S, R = DispatchState, ReceiptType


# -- what each answer moves ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        (receipt(R.DELIVERED), S.DELIVERED, None),
        (receipt(R.REFUSED), S.REFUSED, "edge_revoked"),
        (receipt(R.UNSUPPORTED), S.REFUSED, "unsupported"),
        (receipt(R.STALE_CHAIN, code="stale_chain"), S.REFUSED, "stale_chain"),
        (receipt(R.EXPIRED), S.EXPIRED, "expired"),
        (receipt(R.CANCELLED), S.CANCELLED, "edge_revoked"),
        (declined(), S.DECLINED, None),
        (accepted(), S.ACCEPTED, None),
    ],
)
@pytest.mark.parametrize("before", [S.QUEUED, S.SENT])
def test_signed_answer_moves_the_dispatch(
    answer: Report, state: DispatchState, code: str | None, before: DispatchState
) -> None:
    effects = receive(answer, sent(before))
    after = record_after(effects)
    assert (after.state, after.ended_code, after.last_heard_ms) == (state, code, NOW_MS + 100)
    assert warnings(effects) == 0


@pytest.mark.parametrize("answer", [declined, accepted])
@pytest.mark.parametrize("state", [state for state in S if not DISPATCH[state]])
def test_what_a_signed_answer_has_ended_is_moved_by_nothing(
    answer: Callable[[int, Report], Report], state: DispatchState
) -> None:
    first = receipt(R.DELIVERED)
    record = sent(state, answer_seq=1, answer_head=first.digest)
    effects = receive(answer(2, first), record, taken=(first,))
    assert record_after(effects).state is state
    assert warnings(effects) == 1
    assert puts(effects, RunRecord) == []


def test_delivered_task_is_owed_no_longer() -> None:
    assert Settle(RECORD.digest) in receive(receipt(R.DELIVERED))


@pytest.mark.parametrize("state", [S.DELIVERED, S.ACCEPTED, S.WAITING_INPUT, S.FINISHED])
def test_each_further_device_of_theirs_that_has_it_too_moves_nothing(state: DispatchState) -> None:
    effects = receive(receipt(R.DELIVERED), sent(state))
    assert Settle(RECORD.digest) in effects
    assert (record_after(effects).state, warnings(effects)) == (state, 0)


def test_yes_begins_the_run_as_the_author_knows_it() -> None:
    effects = receive(accepted())
    (run,) = puts(effects, RunRecord)
    assert (run.run_id, run.state, run.device) == (str(RUN_ID), RunState.QUEUED, BOB.device.hex)
    assert record_after(effects).decision == {
        "mode": "manual",
        "target": None,
        "async": True,
        "reason": None,
    }


def test_no_is_shown_as_its_recipient_shows_it() -> None:
    shown = record_after(receive(declined())).decision
    assert shown is not None
    assert (shown["mode"], shown["async"]) == (None, False)


def test_second_yes_is_counted_and_moves_nothing() -> None:
    first = accepted()
    record = sent(S.ACCEPTED, accepted_decisions=1)
    effects = receive(accepted(2, first, OTHER_RUN), record, known_run(), taken=(first,))
    assert (record_after(effects).state, record_after(effects).accepted_decisions) == (S.ACCEPTED, 2)
    assert puts(effects, RunRecord) == []


def test_no_beside_a_yes_is_counted_and_moves_nothing_and_so_is_a_yes_beside_a_no() -> None:
    effects = receive(declined(), sent(S.ACCEPTED, accepted_decisions=1), known_run())
    record = record_after(effects)
    assert (record.state, record.accepted_decisions, record.declined_decisions) == (S.ACCEPTED, 1, 1)
    effects = receive(accepted(), sent(S.DECLINED, declined_decisions=1))
    record = record_after(effects)
    assert (record.state, record.accepted_decisions, record.declined_decisions) == (S.DECLINED, 1, 1)
    assert (puts(effects, RunRecord), warnings(effects)) == ([], 0)
    assert record_after(receive(declined())).declined_decisions == 1


# -- the run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (R.STARTED, RunState.QUEUED, RunState.RUNNING),
        (R.HEARTBEAT, RunState.RUNNING, RunState.RUNNING),
        (R.WAITING, RunState.RUNNING, RunState.WAITING_APPROVAL),
        (R.HEARTBEAT, RunState.WAITING_APPROVAL, RunState.RUNNING),
        (R.WAITING, RunState.QUEUED, RunState.WAITING_APPROVAL),
    ],
)
def test_author_follows_the_run_by_what_it_is_told(
    kind: ReceiptType, before: RunState, after: RunState
) -> None:
    effects = receive(receipt(kind), sent(S.ACCEPTED), known_run(before))
    (run,) = puts(effects, RunRecord)
    assert (run.state, run.last_heard_ms) == (after, NOW_MS + 100)
    moved = [effect for effect in effects if isinstance(effect, Note) and effect.type is EventType.RUN_STATE]
    assert bool(moved) is (before is not after)


def test_run_started_when_the_recipient_says_so() -> None:
    (run,) = puts(receive(receipt(R.STARTED), sent(S.ACCEPTED), known_run()), RunRecord)
    assert run.started_ms == HEAD.created_ms
    (later,) = puts(receive(receipt(R.HEARTBEAT), sent(S.ACCEPTED), known_run()), RunRecord)
    assert later.started_ms is None


@pytest.mark.parametrize(
    "its_run",
    [None, known_run(RunState.COMPLETED), known_run(RunState.APPLYING), replace(known_run(), run_id="x")],
)
def test_run_that_is_over_or_another_is_not_moved(its_run: RunRecord | None) -> None:
    effects = receive(receipt(R.HEARTBEAT), sent(S.ACCEPTED), its_run)
    assert puts(effects, RunRecord) == []


def test_cancelled_run_finishes_the_dispatch() -> None:
    effects = receive(
        receipt(R.CANCELLED, run_id=RUN_ID), sent(S.ACCEPTED), known_run(RunState.WAITING_APPROVAL)
    )
    (run,) = puts(effects, RunRecord)
    assert (run.state, run.code, run.detail) == (RunState.CANCELLED, "edge_revoked", "gone")
    assert record_after(effects).state is S.FINISHED


def test_cancelling_of_another_run_moves_nothing() -> None:
    effects = receive(receipt(R.CANCELLED, run_id=OTHER_RUN), sent(S.ACCEPTED), known_run())
    assert record_after(effects).state is S.ACCEPTED
    assert warnings(effects) == 1


# -- the result ----------------------------------------------------------------------------------------


def test_result_finishes_the_dispatch_with_its_outcome() -> None:
    effects = receive(ended(), sent(S.ACCEPTED), known_run(RunState.RUNNING))
    after = record_after(effects)
    assert (after.state, after.outcome, after.summary, after.ended_code) == (
        S.FINISHED,
        Outcome.SUCCESS,
        "done",
        None,
    )
    (run,) = puts(effects, RunRecord)
    assert (run.state, run.started_ms, run.ended_ms) == (RunState.COMPLETED, NOW_MS + 10, NOW_MS + 20)


def test_result_of_a_run_that_never_began_invents_no_beginning() -> None:
    never = ended(outcome=Outcome.NEED_INPUT, code="no_agent", started_ms=0)
    (run,) = puts(receive(never, sent(S.ACCEPTED), known_run(RunState.QUEUED)), RunRecord)
    assert (run.started_ms, run.ended_ms) == (None, NOW_MS + 20)


def test_result_that_failed_says_why() -> None:
    effects = receive(ended(outcome=Outcome.FAILED, code="step_failed"), sent(S.ACCEPTED), known_run())
    assert record_after(effects).ended_code == "step_failed"
    assert puts(effects, RunRecord)[0].state is RunState.FAILED


def test_author_keeps_all_that_the_result_tells() -> None:
    change = Change(op=ChangeOp.CREATE, path="/a", kind="file", size_bytes=3, sha256=digest("a"))
    artifact = Artifact(name="r.txt", kind="file", mime_type="text/plain", size_bytes=3, sha256=digest("a"))
    confinement = Confinement(layers=("bwrap",), limits_by="cgroup")
    told = ended(
        changeset=(change,),
        changeset_digest=digest("changes"),
        diffs=(FileDiff(path="/a", text="+a\n"),),
        artifacts=(artifact,),
        confinement=confinement,
        events=(Event(seq=1, at_ms=NOW_MS + 15, type=EventType.TOOL_CALL, data={"tool": "Edit"}),),
    )
    effects = receive(told, sent(S.ACCEPTED), known_run())
    (run,) = puts(effects, RunRecord)
    assert (run.changeset[0]["path"], run.changeset[0]["size_bytes"]) == ("/a", 3)
    assert run.changeset_digest == digest("changes").hex
    assert run.diffs[0]["text"] == "+a\n"
    assert run.artifacts[0]["name"] == "r.txt"
    assert run.confinement == confinement.write()
    called = [e for e in effects if isinstance(e, Note) and e.type is EventType.TOOL_CALL]
    assert [(note.at_ms, note.data, note.run_id) for note in called] == [
        (NOW_MS + 15, {"tool": "Edit"}, str(RUN_ID))
    ]


def test_files_of_a_result_are_owed_from_the_moment_it_is_known() -> None:
    made = Artifact(name="r.txt", kind="file", mime_type="text/plain", size_bytes=3, sha256=digest("a"))
    there = replace(made, blob=Blob(digest("b"), fixed("k")))
    for artifacts, owed in (((made,), []), ((made, there), [RECORD.digest])):
        effects = receive(ended(artifacts=artifacts), sent(S.ACCEPTED), known_run())
        plans = [each for each in effects if isinstance(each, Plan) and each.kind is TaskKind.FETCH]
        assert [plan.key for plan in plans] == owed


@pytest.mark.parametrize(
    ("state", "its_run", "answer"),
    [
        (S.FINISHED, known_run(RunState.CANCELLED), ended()),
        (S.DELIVERED, None, ended()),
        (S.ACCEPTED, known_run(), ended(run_id=OTHER_RUN)),
    ],
)
def test_result_of_what_is_over_or_was_never_accepted_rewrites_nothing(
    state: DispatchState, its_run: RunRecord | None, answer: Report
) -> None:
    effects = receive(answer, sent(state), its_run)
    assert record_after(effects).state is state
    assert puts(effects, RunRecord) == []
    assert warnings(effects) == 1


def test_signed_expiry_says_where_it_was_presumed_that_it_is_so() -> None:
    record = sent(S.EXPIRED)
    desk = Desk(record, None)
    assert take_in(desk, receipt(R.EXPIRED).message, NOW_MS) == Desk(
        replace(record, ended_code="expired"), None
    )


# -- parked runs ---------------------------------------------------------------------------------------


def parked_word(seq: int = 1) -> Report:
    return receipt(R.WAITING, seq, code=PARKED, detail="kept", data={"state": "waiting_approval"})


def test_parked_run_makes_its_dispatch_wait_for_input() -> None:
    effects = receive(parked_word(), sent(S.ACCEPTED), known_run(RunState.RUNNING))
    after = record_after(effects)
    assert (after.state, after.outcome, after.ended_code, after.ended_detail) == (
        S.WAITING_INPUT,
        Outcome.BLOCKED,
        PARKED,
        "kept",
    )
    (waiting,) = puts(effects, RunRecord)
    assert waiting.state is RunState.WAITING_APPROVAL


@pytest.mark.parametrize("kind", [R.STARTED, R.HEARTBEAT])
def test_run_that_was_taken_up_goes_on_and_nothing_of_the_parking_stays(kind: ReceiptType) -> None:
    before = sent(S.WAITING_INPUT, outcome=Outcome.BLOCKED, ended_code=PARKED, ended_detail="kept")
    effects = receive(receipt(kind), before, known_run(RunState.WAITING_APPROVAL))
    after = record_after(effects)
    assert (after.state, after.outcome, after.ended_code, after.ended_detail) == (
        S.ACCEPTED,
        None,
        None,
        None,
    )
    (running,) = puts(effects, RunRecord)
    assert running.state is RunState.RUNNING


def test_parked_twice_it_waits_all_the_same() -> None:
    before = sent(S.WAITING_INPUT, outcome=Outcome.BLOCKED)
    effects = receive(parked_word(), before, known_run(RunState.WAITING_APPROVAL))
    assert record_after(effects).state is S.WAITING_INPUT
    assert warnings(effects) == 0


def test_parked_run_may_be_cancelled_or_end() -> None:
    before = sent(S.WAITING_INPUT, outcome=Outcome.BLOCKED)
    effects = receive(receipt(R.CANCELLED, run_id=RUN_ID), before, known_run(RunState.WAITING_APPROVAL))
    after = record_after(effects)
    assert (after.state, after.outcome) == (S.FINISHED, None)
    over = ended(outcome=Outcome.BLOCKED, code="discarded")
    effects = receive(over, before, known_run(RunState.WAITING_APPROVAL))
    assert (record_after(effects).state, record_after(effects).outcome) == (S.FINISHED, Outcome.BLOCKED)
