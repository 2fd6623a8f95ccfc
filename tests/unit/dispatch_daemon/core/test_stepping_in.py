"""What a human changes about a run that goes on never widens it, and is done in one step."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import stepping_in
from dispatch_daemon.core.effects import Note, Resolve, StopRun
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.questions import run_paths, scopes_of, with_run_paths
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    Door,
    GrantChoice,
    RunRecord,
)
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.messages.result import Result
from dispatch_protocol.scopes import Approval, Returns
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, SCOPES, approval, puts, received, run, sends, sent
from tests.support.documents import NOW_MS

ACCEPTED = received(DispatchState.ACCEPTED)
HERE = [("/src", "rw")]


def asking(mode: Approval = Approval.MANUAL, state: RunState = RunState.WAITING_APPROVAL) -> RunRecord:
    return run(state, scopes=with_run_paths(replace(SCOPES, approval=mode), HERE))


def test_reviewed_run_asks_no_more_and_may_do_no_more() -> None:
    before = asking()
    late = approval(request_id="late", deadline_ms=NOW_MS)
    closing = approval(request_id="closing", kind=ApprovalKind.CHANGESET)
    other = approval(request_id="other", run_id="another")
    answered = approval(request_id="answered", state=ApprovalState.DENIED)
    outside = approval(request_id="outside", tool="mcp__files__note")
    effects = stepping_in.review(
        ACCEPTED,
        before,
        [approval(), late, closing, other, answered, outside],
        trust="token",
        door=Door.PAGE,
        now_ms=NOW_MS,
    )
    (switched,) = puts(effects, RunRecord)
    assert scopes_of(switched) == replace(scopes_of(before), approval=Approval.REVIEW)
    assert run_paths(switched) == HERE
    (closed,) = puts(effects, ApprovalRecord)
    assert (closed.request_id, closed.state, closed.grant, closed.decided_by) == (
        approval().request_id,
        ApprovalState.APPROVED,
        GrantChoice.ONCE,
        Door.PAGE,
    )
    assert Resolve(closed.request_id) in effects
    (note, *_) = [effect for effect in effects if isinstance(effect, Note)]
    assert note.data == {"decision": "review", "decided_by": "page"}


@pytest.mark.parametrize(
    ("record", "with_run", "trust", "code"),
    [
        (sent(DispatchState.ACCEPTED), asking(), "compared", "wrong_party"),
        (ACCEPTED, asking(), "unverified", "manual_only"),
        (ACCEPTED, None, "token", "not_pending"),
        (ACCEPTED, asking(Approval.REVIEW), "token", "not_pending"),
        (ACCEPTED, asking(Approval.AUTO), "token", "not_pending"),
        (ACCEPTED, asking(state=RunState.FAILED), "token", "not_pending"),
    ],
)
def test_run_that_may_not_be_reviewed_is_left_as_it_asks(
    record: object, with_run: RunRecord | None, trust: str, code: str
) -> None:
    with pytest.raises(ServiceError) as raised:
        stepping_in.review(record, with_run, (), trust=trust, door=Door.CLI, now_ms=NOW_MS)  # type: ignore[arg-type]  # of a parametrized list
    assert raised.value.code == code


@pytest.mark.parametrize("reason", ["not that", None])
def test_stopped_run_ends_blocked_at_once(reason: str | None) -> None:
    other = approval(request_id="other")
    effects = stepping_in.stop(
        ACCEPTED,
        asking(),
        approval(),
        [approval(), other],
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        reason=reason,
        returns=Returns.RESULT,
        events=(),
    )
    (result,) = sends(effects)
    assert isinstance(result, Result)
    assert (result.outcome, result.code) == (Outcome.BLOCKED, "stopped")
    assert result.summary == (reason or "a human denied a call and stopped the run")
    (withdrawn,) = puts(effects, ApprovalRecord)
    assert (withdrawn.request_id, withdrawn.state) == ("other", ApprovalState.WITHDRAWN)
    assert effects[-1] == StopRun(run().run_id, "stopped")
