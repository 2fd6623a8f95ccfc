"""Stepping in: what a human may change about a run of this machine while it goes on.

Two things only, and neither widens what the run may do: to be asked no more and review the changes instead, and to
end it at once with a denial.
"""

from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.core import gate
from dispatch_daemon.core.approvals import close
from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Note, Put, StopRun
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.questions import may_review, scopes_of
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    Box,
    DispatchRecord,
    Door,
    EventRecord,
    GrantChoice,
    RunRecord,
)
from dispatch_daemon.core.runs import Ending, ended
from dispatch_daemon.core.trust_records import Trust
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.trace import EventType, Usage
from dispatch_protocol.scopes import Approval, Returns

REVIEWED_REASON = "the human reviews the changes of this run instead"


def review(
    record: DispatchRecord,
    run: RunRecord | None,
    approvals: Sequence[ApprovalRecord],
    *,
    trust: str | None,
    door: Door,
    now_ms: int,
) -> list[Effect]:
    """Let this run ask no more: its open call is allowed once, and its changes are approved at the end.

    Only how it asks changes; its tools, paths and hosts stay those of its start.

    Raises:
        ServiceError: `wrong_party` for somebody else's run, `manual_only` for a contact whom nobody has compared,
            `not_pending` if no run asks here.
    """
    if record.box is Box.SENT:
        raise ServiceError("wrong_party", "you sent this dispatch; only its recipient says how its run asks")
    if trust == Trust.UNVERIFIED:
        raise ServiceError(
            "manual_only", "this contact came by mail and was never compared, so each call asks"
        )
    if run is None or not may_review(run, trust):
        raise ServiceError("not_pending", "no run of this dispatch asks for each call now")
    scopes = replace(scopes_of(run), approval=Approval.REVIEW)
    switched = replace(run, scopes={**(run.scopes or {}), **scopes.write()})
    data: dict[str, JSON] = {"decision": Approval.REVIEW, "decided_by": door}
    effects: list[Effect] = [
        Put(switched),
        Note(record.digest, now_ms, EventType.DECISION_MADE, data, run.run_id),
    ]
    for approval in approvals:
        if (
            approval.run_id == run.run_id
            and approval.kind is ApprovalKind.TOOL
            and not gate.acts_outside(approval.tool or "")  # it would stand in no changeset
            and _is_open(approval, now_ms)
        ):
            effects += close(
                approval, ApprovalState.APPROVED, GrantChoice.ONCE, REVIEWED_REASON, now_ms, door
            )
    return effects


def _is_open(approval: ApprovalRecord, now_ms: int) -> bool:
    return approval.state is ApprovalState.OPEN and now_ms < approval.deadline_ms


def stop(
    record: DispatchRecord,
    run: RunRecord,
    denied: ApprovalRecord,
    approvals: Sequence[ApprovalRecord],
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    reason: str | None,
    returns: Returns,
    events: Sequence[EventRecord],
) -> list[Effect]:
    """End the run at once, as blocked: nothing of it is waited for, and nothing it wrote is kept."""
    detail = reason or "a human denied a call and stopped the run"
    others = [approval for approval in approvals if approval.request_id != denied.request_id]
    return [
        Note(record.digest, moment.now_ms, EventType.DISCARDED, {"reason": "stopped"}, run.run_id),
        *ended(
            record,
            run,
            own,
            peer,
            moment,
            ending=Ending(outcome=Outcome.BLOCKED, summary=detail, code="stopped", detail=detail),
            returns=returns,
            usage=Usage(),
            events=events,
            approvals=others,
        ),
        StopRun(run.run_id, "stopped"),
    ]
