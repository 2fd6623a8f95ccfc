"""A run is told step by step, ends once with one outcome, and returns what the grant allows and one body holds."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dispatch_daemon.core import runs
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, Resolve, TaskKind, Unplan
from dispatch_daemon.core.records import ApprovalRecord, ApprovalState, DispatchRecord, EventRecord, RunRecord
from dispatch_daemon.core.runs import Ending
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import LocalError
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.result import EVENTS, Result
from dispatch_protocol.messages.trace import EventType, Usage
from dispatch_protocol.scopes import Returns
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, approval, puts, received, run, sends
from tests.support.documents import NOW_MS, digest

ACCEPTED = received(DispatchState.ACCEPTED)
RUN_ID = run().run_id
CONFINED: dict[str, JSON] = {"layers": ["bwrap", "landlock"], "limits_by": "cgroup", "warnings": []}
CHANGE: dict[str, JSON] = {
    "op": "create",
    "path": "/src/a",
    "kind": "file",
    "size_bytes": 3,
    "sha256": digest("a").hex,
    "flags": [],
}
DIFF: dict[str, JSON] = {"path": "/src/a", "text": "+a\n", "truncated": False, "binary": False}
ARTIFACT: dict[str, JSON] = {
    "name": "a.txt",
    "kind": "file",
    "mime_type": "text/plain",
    "size_bytes": 3,
    "sha256": digest("a").hex,
}


def settled(**more: object) -> RunRecord:
    """Return a run whose changes are known."""
    left: dict[str, object] = {
        "changeset": (CHANGE,),
        "changeset_digest": digest("changes").hex,
        "diffs": (DIFF,),
        "artifacts": (ARTIFACT,),
        "confinement": CONFINED,
    }
    return run(RunState.APPLYING, **(left | more))


def event(seq: int, kind: EventType = EventType.TOOL_CALL, **more: object) -> EventRecord:
    fields: dict[str, object] = {"data": {"call_id": str(seq)}, "run_id": RUN_ID} | more
    return EventRecord(digest=ACCEPTED.digest, seq=seq, at_ms=NOW_MS, type=kind, **fields)


def end(
    its_run: RunRecord,
    outcome: Outcome = Outcome.SUCCESS,
    *,
    returns: Returns = Returns.RESULT,
    events: Sequence[EventRecord] = (),
    approvals: Sequence[ApprovalRecord] = (),
    code: str | None = None,
) -> list[Effect]:
    return runs.ended(
        ACCEPTED,
        its_run,
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        ending=Ending(outcome=outcome, summary="1. Edit a", code=code, detail=code),
        returns=returns,
        usage=Usage(turns=2),
        events=events,
        approvals=approvals,
    )


def result_of(effects: list[Effect]) -> Result:
    (message,) = sends(effects)
    assert isinstance(message, Result)
    return message


# -- on the way ----------------------------------------------------------------------------------------


def test_start_is_told_and_promises_signs_of_life() -> None:
    effects = runs.started(
        ACCEPTED,
        run(RunState.QUEUED, started_ms=None),
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        confinement=CONFINED,
        model="openai:qwen3",
    )
    (going,) = puts(effects, RunRecord)
    assert going.model == "openai:qwen3"
    assert "qwen3" not in repr([effect for effect in effects if effect != Put(going)])
    assert (going.state, going.started_ms, going.confinement) == (RunState.RUNNING, NOW_MS, CONFINED)
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, str(said.run_id), said.data) == (
        ReceiptType.STARTED,
        going.run_id,
        {"agent": "steps"},
    )
    assert runs.heartbeat_plan(going.run_id, NOW_MS) in effects


def test_run_without_an_agent_says_so() -> None:
    effects = runs.started(
        ACCEPTED, run(RunState.QUEUED, agent=None), BOB_OWN, ALICE_PEER, MOMENT, confinement={}
    )
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert said.data == {"agent": "none"}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (RunState.RUNNING, ReceiptType.HEARTBEAT),
        (RunState.SETTLING, ReceiptType.HEARTBEAT),
        (RunState.APPLYING, ReceiptType.HEARTBEAT),
        (RunState.WAITING_APPROVAL, ReceiptType.WAITING),
    ],
)
def test_living_run_says_so_and_will_again(state: RunState, kind: ReceiptType) -> None:
    effects = runs.heartbeat(ACCEPTED, run(state), BOB_OWN, ALICE_PEER, MOMENT)
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, said.data) == (kind, {"state": state})
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.not_before_ms) == (TaskKind.HEARTBEAT, NOW_MS + runs.HEARTBEAT_MS)
    assert puts(effects, RunRecord)[0].last_heard_ms == NOW_MS


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED])
def test_run_that_does_not_go_on_says_nothing(state: RunState) -> None:
    effects = runs.heartbeat(ACCEPTED, run(state), BOB_OWN, ALICE_PEER, MOMENT)
    assert effects == [Unplan(TaskKind.HEARTBEAT, RUN_ID)]


def test_run_moves_along_the_table_only() -> None:
    moved, effects = runs.move(run(), RunState.SETTLING, NOW_MS, changeset_digest="aa")
    assert (moved.state, moved.changeset_digest, moved.last_heard_ms) == (RunState.SETTLING, "aa", NOW_MS)
    assert puts(effects, RunRecord) == [moved]
    with pytest.raises(LocalError):
        runs.move(run(RunState.APPLYING), RunState.CANCELLED, NOW_MS)


# -- ending --------------------------------------------------------------------------------------------


def test_success_returns_what_was_applied() -> None:
    effects = end(settled())
    assert puts(effects, RunRecord)[0].state is RunState.COMPLETED
    (record,) = puts(effects, DispatchRecord)
    assert (record.state, record.outcome, record.summary) == (
        DispatchState.FINISHED,
        Outcome.SUCCESS,
        "1. Edit a",
    )
    result = result_of(effects)
    assert [change.path for change in result.changeset] == ["/src/a"]
    assert result.changeset_digest == digest("changes")
    assert [diff.text for diff in result.diffs] == ["+a\n"]
    assert [artifact.name for artifact in result.artifacts] == ["a.txt"]
    assert result.confinement is not None
    assert result.confinement.limits_by == "cgroup"


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.BLOCKED, Outcome.NEED_INPUT])
def test_any_other_outcome_applies_nothing_and_says_why(outcome: Outcome) -> None:
    effects = end(settled(), outcome, code="step_failed")
    over = puts(effects, RunRecord)[0]
    assert (over.state, over.outcome, over.code) == (RunState.FAILED, outcome, "step_failed")
    result = result_of(effects)
    assert (result.outcome, result.code) == (outcome, "step_failed")
    assert (result.changeset, result.changeset_digest, result.diffs, result.artifacts) == ((), None, (), ())


def test_end_closes_everything_that_the_run_owed() -> None:
    decided = approval(request_id="b", state=ApprovalState.DENIED)
    effects = end(run(), Outcome.BLOCKED, approvals=[approval(), decided], code="denied")
    (withdrawn,) = puts(effects, ApprovalRecord)
    assert withdrawn.state is ApprovalState.WITHDRAWN
    assert Resolve(approval().request_id) in effects
    assert Unplan(TaskKind.RUN, RUN_ID) in effects
    assert Unplan(TaskKind.HEARTBEAT, RUN_ID) in effects
    (note,) = [effect for effect in effects if isinstance(effect, Note)]
    assert (note.type, note.data["outcome"]) == (EventType.RUN_ENDED, Outcome.BLOCKED)


@pytest.mark.parametrize(
    ("crossed", "outside"),
    [
        ([], False),
        ([event(1), event(2, EventType.GATE, data={"allowed": False, "what": "GET x"})], False),
        ([event(1, EventType.GATE, data={"allowed": True, "effects": "external"})], True),
        ([event(1, EventType.GATE, data={"effects": "external"}, run_id="another")], False),
    ],
)
def test_run_that_was_broken_off_says_what_it_may_have_done_outside(
    crossed: list[EventRecord], outside: bool
) -> None:
    ending = runs.broken_off("the power went", "interrupted", run(), crossed)
    assert (ending.outcome, ending.code) == (Outcome.FAILED, "interrupted")
    assert ending.detail == ending.summary
    assert ending.summary.startswith("the power went; nothing was applied")
    assert ("may have acted there" in ending.summary) is outside


def test_run_that_never_started_can_still_end() -> None:
    never = run(RunState.QUEUED, started_ms=None, agent=None)
    result = result_of(end(never, Outcome.NEED_INPUT, code="no_agent"))
    assert (result.started_ms, result.ended_ms, result.agent) == (0, NOW_MS, "none")
    assert result.confinement is None


# -- what the author sees ------------------------------------------------------------------------------

TRACE = [
    event(1, EventType.DECISION_MADE, run_id=None),
    event(2, EventType.TOOL_CALL),
    event(3, EventType.APPROVAL_ASKED),
    event(4, EventType.TOOL_RESULT),
    event(5, EventType.TOOL_CALL, run_id="another run"),
]


def test_status_is_all_that_a_grant_of_status_returns() -> None:
    result = result_of(end(settled(), returns=Returns.STATUS, events=TRACE))
    assert (result.outcome, result.summary, result.changeset, result.diffs, result.events) == (
        Outcome.SUCCESS,
        "",
        (),
        (),
        (),
    )


def test_result_without_a_trace_has_no_events() -> None:
    result = result_of(end(settled(), returns=Returns.RESULT, events=TRACE))
    assert (result.summary, result.events) == ("1. Edit a", ())


def test_trace_is_what_the_agent_did_in_this_run_and_not_what_the_human_was_asked() -> None:
    result = result_of(end(settled(), returns=Returns.TRACE, events=TRACE))
    assert [(each.seq, each.type) for each in result.events] == [
        (1, EventType.TOOL_CALL),
        (2, EventType.TOOL_RESULT),
    ]
    assert result.usage == Usage(tool_calls=1, turns=2)


def test_long_trace_keeps_its_end_and_counts_from_one() -> None:
    events = [event(number, data={"output": f"{number:05}" * 2000}) for number in range(1, 101)]
    result = result_of(end(settled(), returns=Returns.TRACE, events=events))
    assert 1 < len(result.events) < 100
    assert [each.seq for each in result.events] == list(range(1, len(result.events) + 1))
    assert result.events[-1].data == events[-1].data


def test_trace_of_very_many_small_events_still_fits() -> None:
    events = [event(number, data={}) for number in range(1, EVENTS + 100)]
    result = result_of(end(settled(), returns=Returns.TRACE, events=events))
    assert 1 < len(result.events) <= EVENTS


def test_result_of_a_huge_run_fits_into_one_body_and_says_what_was_cut() -> None:
    many = range(5_000)
    huge = settled(
        changeset=tuple(CHANGE | {"path": f"/src/{number:05}"} for number in many),
        diffs=tuple(DIFF | {"path": f"/src/{number:05}", "text": "\n" * 200} for number in many),
        artifacts=tuple(ARTIFACT | {"name": f"{number:0250}", "mime_type": "x" * 255} for number in many),
    )
    events = [event(number, data={"output": "x" * 1000}) for number in range(1, 1001)]
    effects = end(huge, returns=Returns.TRACE, events=events)
    result = result_of(effects)
    assert 0 < len(result.changeset) < len(many)
    assert 0 < len(result.diffs) < len(many)
    assert 0 < len(result.artifacts) < len(many)
    assert result.diff_truncated
    assert sum(len(effect.body) for effect in effects if hasattr(effect, "body")) <= BODY_BYTES
    assert len(puts(effects, RunRecord)[0].changeset) == len(many)


@pytest.mark.parametrize(("truncated", "said"), [(True, True), (False, False)])
def test_cut_diff_is_said_to_be_cut(truncated: bool, said: bool) -> None:
    result = result_of(end(settled(diffs=(DIFF | {"truncated": truncated},))))
    assert result.diff_truncated is said


def test_success_without_changes_has_no_digest_of_them() -> None:
    nothing = replace(settled(), changeset=(), changeset_digest=None, diffs=())
    assert result_of(end(nothing)).changeset_digest is None
