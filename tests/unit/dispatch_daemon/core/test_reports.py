"""Only the recipient's signed answers move a sent dispatch: in their order, along the table, each once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import reports
from dispatch_daemon.core.effects import Effect, Note, Plan, Settle, SettleAbout, TaskKind, Unplan
from dispatch_daemon.core.records import AnswerRecord, DispatchRecord, RunRecord
from dispatch_daemon.core.reports import Evidence, Report
from dispatch_protocol.lifecycle import DISPATCH, DispatchState, Outcome, RunState
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.files import Artifact
from dispatch_protocol.messages.follow_on import Ack, Cancel
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
)
from tests.support.desk import ALICE_OWN, BOB_PEER, at, puts, sends, sent, signed
from tests.support.documents import ALICE, BOB, HOUR_MS, NOW_MS, digest

S, R = DispatchState, ReceiptType


def receive(
    answer: Report,
    record: DispatchRecord = RECORD,
    its_run: RunRecord | None = None,
    *,
    taken: tuple[Report, ...] = (),
    held: tuple[Report, ...] = (),
) -> list[Effect]:
    evidence = Evidence(tuple(each.signed.digest for each in taken), held)
    return reports.receive(record, its_run, evidence, answer, ALICE_OWN, BOB_PEER, at(NOW_MS + 100))


def record_after(effects: list[Effect]) -> DispatchRecord:
    (record,) = puts(effects, DispatchRecord)
    return record


def warnings(effects: list[Effect]) -> int:
    return sum(isinstance(effect, Note) and effect.type is EventType.WARNING for effect in effects)


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


def test_author_remembers_the_last_answer_in_its_chain() -> None:
    after = record_after(receive(FIRST, held=(SECOND,)))
    assert (after.answer_seq, after.answer_head) == (2, SECOND.digest)


def test_delivered_task_is_owed_no_longer() -> None:
    assert Settle(RECORD.digest) in receive(receipt(R.DELIVERED))


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
    assert warnings(effects) == 0


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
