"""Questions are asked once, answered once, here, or denied by silence."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import approvals
from dispatch_daemon.core.effects import Effect, Note, Plan, Resolve, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    Door,
    GrantChoice,
    RunRecord,
)
from dispatch_daemon.core.siblings import Shared
from dispatch_daemon.core.trust_records import RuleRecord
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.timestamps import format_time
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, approval, at, puts, received, run, sends
from tests.support.documents import EDGE, NOW_MS


def decide(
    record: ApprovalRecord, *, approved: bool = True, grant: GrantChoice | None = None
) -> list[Effect]:
    return approvals.decide(
        record,
        approved=approved,
        grant=grant,
        reason="because",
        run=run(),
        edge=EDGE.hex,
        door=Door.CLI,
        moment=MOMENT,
    )


def test_asking_makes_the_run_wait_and_sets_a_deadline() -> None:
    moved, effects = approvals.ask(
        received(state=received().state), run(), approval(), BOB_OWN, ALICE_PEER, MOMENT
    )
    assert moved.state is RunState.WAITING_APPROVAL
    assert puts(effects, RunRecord) == [moved]
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, said.data) == (ReceiptType.WAITING, {"state": "waiting_approval"})
    (note,) = [
        effect for effect in effects if isinstance(effect, Note) and effect.type is EventType.APPROVAL_ASKED
    ]
    assert note.data["expires_at"] == format_time(NOW_MS + 120_000)
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.not_before_ms) == (TaskKind.ANSWER_DEADLINE, NOW_MS + 120_000)


@pytest.mark.parametrize(
    ("approved", "grant", "state", "kept"),
    [
        (True, None, ApprovalState.APPROVED, GrantChoice.ONCE),
        (True, GrantChoice.SESSION, ApprovalState.APPROVED, GrantChoice.SESSION),
        (False, None, ApprovalState.DENIED, None),
    ],
)
def test_answer_closes_the_question(
    approved: bool, grant: GrantChoice | None, state: ApprovalState, kept: GrantChoice | None
) -> None:
    effects = decide(approval(), approved=approved, grant=grant)
    (closed,) = puts(effects, ApprovalRecord)
    assert (closed.state, closed.grant, closed.reason, closed.decided_ms) == (state, kept, "because", NOW_MS)
    assert closed.decided_by is Door.CLI
    assert Resolve(approval().request_id) in effects
    assert Unplan(TaskKind.ANSWER_DEADLINE, approval().request_id) in effects
    assert puts(effects, RuleRecord) == []


def test_always_becomes_a_rule_for_exactly_this() -> None:
    (rule,) = puts(decide(approval(), grant=GrantChoice.ALWAYS), RuleRecord)
    assert (rule.edge, rule.tool, rule.command, rule.path) == (EDGE.hex, "Bash", "true", None)
    payload = {"tool": "Edit", "input": {"file_path": "a"}}
    (rule,) = puts(decide(approval(tool="Edit", payload=payload), grant=GrantChoice.ALWAYS), RuleRecord)
    assert (rule.tool, rule.command, rule.path, rule.subject) == ("Edit", None, "/src", None)
    away = {"tool": "Edit", "input": {"file_path": "../a"}}
    nowhere = replace(run(), cwd=None)
    (rule,) = puts(
        approvals.decide(
            approval(tool="Edit", payload=away),
            approved=True,
            grant=GrantChoice.ALWAYS,
            reason=None,
            run=nowhere,
            edge=EDGE.hex,
            door=Door.PAGE,
            moment=MOMENT,
        ),
        RuleRecord,
    )
    assert (rule.command, rule.path) == (None, None)
    assert rule.subject is not None


@pytest.mark.parametrize("state", [state for state in ApprovalState if state is not ApprovalState.OPEN])
def test_first_valid_answer_wins(state: ApprovalState) -> None:
    with pytest.raises(ServiceError) as raised:
        decide(approval(state=state))
    assert raised.value.code == "not_pending"


def test_whoever_is_second_is_told_what_was_applied_by_whom_and_when() -> None:
    first = approval(
        state=ApprovalState.APPROVED, grant=GrantChoice.ALWAYS, decided_by=Door.PAGE, decided_ms=NOW_MS
    )
    with pytest.raises(ServiceError) as raised:
        decide(first, approved=False)
    assert raised.value.detail.endswith(
        "it was approved (always) through the page at 2026-01-02T03:04:05.678Z"
    )
    assert raised.value.applied == approvals.applied(first)
    assert raised.value.applied["decided_by"] == "page"
    with pytest.raises(ServiceError, match="it was denied through the agent session") as raised:
        decide(approval(state=ApprovalState.DENIED, decided_by=Door.MCP, decided_ms=NOW_MS))
    with pytest.raises(ServiceError, match="nobody answered it in time") as raised:
        decide(approval(deadline_ms=NOW_MS))
    assert raised.value.applied is not None
    assert (raised.value.applied["status"], raised.value.applied["decided_by"]) == ("expired", None)


@pytest.mark.parametrize(
    ("names", "called", "name"), [({"ab" * 32: "laptop"}, "laptop", "laptop"), ({}, "abababab", None)]
)
def test_whoever_is_second_is_told_on_which_other_device_the_first_was(
    names: dict[str, str], called: str, name: str | None
) -> None:
    first = approval(
        state=ApprovalState.DENIED, decided_by=Door.DEVICE, decided_on="ab" * 32, decided_ms=NOW_MS
    )
    with pytest.raises(ServiceError, match=f"it was denied as you said on {called} at 2026") as raised:
        approvals.require_open(first, NOW_MS, Shared(names=names))
    assert raised.value.applied is not None
    assert raised.value.applied["decided_on"] == {"device": "ab" * 32, "name": name}
    before = replace(first, decided_on=None)  # as an older daemon kept it
    with pytest.raises(ServiceError, match="it was denied through the word of another device at 2026"):
        approvals.require_open(before, NOW_MS)
    assert approvals.applied(before)["decided_on"] is None


@pytest.mark.parametrize("device", [None, "ab" * 32])
def test_what_was_answered_is_noted_with_the_other_device_at_which_it_was_said(device: str | None) -> None:
    door = Door.CLI if device is None else Door.DEVICE
    effects = approvals.close(approval(), ApprovalState.DENIED, None, "no", NOW_MS, door, device)
    (note,) = [each for each in effects if isinstance(each, Note)]
    assert (note.type, note.data["decided_by"], note.data["decided_on"]) == (
        EventType.APPROVAL_DECIDED,
        door,
        device,
    )


def test_answer_after_the_deadline_counts_for_nothing() -> None:
    with pytest.raises(ServiceError) as raised:
        decide(approval(deadline_ms=NOW_MS))
    assert raised.value.code == "not_pending"


def test_grants_that_a_question_does_not_have_are_refused() -> None:
    changeset = approval(kind=ApprovalKind.CHANGESET, tool=None)
    with pytest.raises(ServiceError):
        decide(changeset, grant=GrantChoice.ALWAYS)
    with pytest.raises(ServiceError):
        decide(approval(), approved=False, grant=GrantChoice.ONCE)
    assert puts(decide(changeset), ApprovalRecord)[0].state is ApprovalState.APPROVED


def test_silence_is_a_no_only_after_the_deadline() -> None:
    (closed,) = puts(approvals.time_out(approval(), at(NOW_MS + 120_000).now_ms), ApprovalRecord)
    assert closed.state is ApprovalState.EXPIRED
    assert approvals.time_out(approval(), NOW_MS + 119_999) == []
    assert approvals.time_out(approval(state=ApprovalState.DENIED), NOW_MS + 120_000) == []


def test_what_a_rule_has_allowed_stands_in_the_trace_as_an_answer_without_a_question() -> None:
    said = approvals.answered_by_rule()
    assert (said["decision"], said["grant"], said["decided_by"]) == ("approved", "always", "rule")
    assert (said["request_id"], said["decided_on"]) == (None, None)
