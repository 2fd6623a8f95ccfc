"""Questions to the human of this machine: asked, answered here and nowhere else, or denied by silence."""

from dataclasses import replace

from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, Resolve, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.gate import call_input
from dispatch_daemon.core.questions import run_paths
from dispatch_daemon.core.reach import reach_of
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    DispatchRecord,
    Door,
    GrantChoice,
    RunRecord,
)
from dispatch_daemon.core.runs import move
from dispatch_daemon.core.siblings import ALONE, Shared, device_view
from dispatch_daemon.core.trust_records import RuleRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.timestamps import format_time

TIMEOUT_REASON = "nobody answered in time"
_FACES = {
    Door.DEVICE: "word of another device",
    Door.CLI: "command line",
    Door.PAGE: "page",
    Door.MCP: "agent session",
    Door.API: "local door",
}


def ask(
    record: DispatchRecord,
    run: RunRecord,
    approval: ApprovalRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
) -> tuple[RunRecord, list[Effect]]:
    """Put a question: the run waits, the author hears that it waits, and silence has a deadline."""
    waiting, effects = move(run, RunState.WAITING_APPROVAL, moment.now_ms)
    _, told = receipt(
        record, own, peer, moment, ReceiptType.WAITING, run=run, data={"state": RunState.WAITING_APPROVAL}
    )
    data: dict[str, JSON] = {
        "request_id": approval.request_id,
        "kind": approval.kind,
        "title": approval.title,
        "expires_at": format_time(approval.deadline_ms),
    }
    return waiting, [
        *effects,
        *told,
        Put(approval),
        Note(record.digest, moment.now_ms, EventType.APPROVAL_ASKED, data, run.run_id),
        Plan(
            kind=TaskKind.ANSWER_DEADLINE,
            key=approval.request_id,
            not_before_ms=approval.deadline_ms,
            payload={},
        ),
    ]


def decide(
    approval: ApprovalRecord,
    *,
    approved: bool,
    grant: GrantChoice | None,
    reason: str | None,
    run: RunRecord,
    edge: str,
    door: Door,
    moment: Moment,
    device: str | None = None,
    shared: Shared = ALONE,
) -> list[Effect]:
    """Answer an open question of a run; the first valid answer wins, and a later one is told what holds.

    `device` is the other own device at which it was said, if it was; `shared` knows what such devices are called.

    Raises:
        ServiceError: `not_pending` if it is no longer open, `invalid` for a grant that this kind does not have.
    """
    require_open(approval, moment.now_ms, shared)
    choice = _reach(approval, grant, approved=approved)
    effects = close(
        approval,
        ApprovalState.APPROVED if approved else ApprovalState.DENIED,
        choice if approved else None,
        reason,
        moment.now_ms,
        door,
        device,
    )
    if approved and choice is GrantChoice.ALWAYS and approval.tool is not None:
        effects.append(Put(_rule(approval, approval.tool, run, edge, moment)))
    return effects


def _reach(approval: ApprovalRecord, grant: GrantChoice | None, *, approved: bool) -> GrantChoice:
    """Return how far a yes reaches, once where nothing is said; refuse what this answer or this kind does not have."""
    if not approved and grant is not None:
        raise ServiceError("invalid", "a denial takes no grant")
    choice = grant or GrantChoice.ONCE
    if approval.kind is ApprovalKind.CHANGESET and choice is not GrantChoice.ONCE:
        raise ServiceError("invalid", "a changeset is approved once, as it is shown")
    return choice


def _rule(approval: ApprovalRecord, tool: str, run: RunRecord, edge: str, moment: Moment) -> RuleRecord:
    reach = reach_of(tool, call_input(approval), run.cwd or "/", [path for path, _ in run_paths(run)])
    return RuleRecord(
        rule_id=str(moment.uuid()),
        edge=edge,
        tool=tool,
        command=reach.command,
        created_ms=moment.now_ms,
        path=reach.below,
        subject=reach.subject,
    )


def require_open(approval: ApprovalRecord, now_ms: int, shared: Shared = ALONE) -> None:
    """Refuse to answer what is answered: the refusal carries what was applied, by which face or device, and when.

    Raises:
        ServiceError: `not_pending`.
    """
    if approval.state is ApprovalState.OPEN and now_ms < approval.deadline_ms:
        return
    over = approval.state
    if over is ApprovalState.OPEN:  # the deadline's own task is on its way
        over = ApprovalState.EXPIRED
    words = (
        "nobody answered it in time, so nothing was allowed"
        if over is ApprovalState.EXPIRED
        else f"it was {over}"
    )
    if approval.decided_by is not None and approval.decided_ms is not None:
        reach = f" ({approval.grant})" if approval.grant is not None else ""
        said = f"through the {_FACES[approval.decided_by]}"
        if approval.decided_on is not None:
            said = f"as you said on {shared.called(approval.decided_on)}"
        words += f"{reach} {said} at {format_time(approval.decided_ms)}"
    raise ServiceError(
        "not_pending",
        f"this question is no longer open: {words}",
        applied={**applied(approval, shared), "status": over},
    )


def applied(approval: ApprovalRecord, shared: Shared = ALONE) -> dict[str, JSON]:
    """Return what holds of a question: its answer, how far a yes reaches, and who gave it when, on which other device."""
    return {
        "request_id": approval.request_id,
        "kind": approval.kind,
        "status": approval.state,
        "grant": approval.grant,
        "reason": approval.reason,
        "decided_by": approval.decided_by,
        "decided_on": None if approval.decided_on is None else device_view(approval.decided_on, shared),
        "decided_at": None if approval.decided_ms is None else format_time(approval.decided_ms),
    }


def time_out(approval: ApprovalRecord, now_ms: int) -> list[Effect]:
    """Turn silence into a no."""
    if approval.state is not ApprovalState.OPEN or now_ms < approval.deadline_ms:
        return []
    return close(approval, ApprovalState.EXPIRED, None, TIMEOUT_REASON, now_ms)


def close(
    approval: ApprovalRecord,
    state: ApprovalState,
    grant: GrantChoice | None,
    reason: str | None,
    now_ms: int,
    door: Door | None = None,
    device: str | None = None,
) -> list[Effect]:
    """Close a question with what was answered, by whom, and on which other device; without a door nobody answered."""
    data: dict[str, JSON] = {
        "request_id": approval.request_id,
        "decision": state,
        "grant": grant,
        "reason": reason,
        "decided_by": door,
        "decided_on": device,
    }
    closed = replace(
        approval,
        state=state,
        grant=grant,
        reason=reason,
        decided_ms=now_ms,
        decided_by=door,
        decided_on=device,
    )
    return [
        Put(closed),
        Note(approval.digest, now_ms, EventType.APPROVAL_DECIDED, data, approval.run_id),
        Unplan(TaskKind.ANSWER_DEADLINE, approval.request_id),
        Resolve(approval.request_id),
    ]


def answered_by_rule() -> dict[str, JSON]:
    """Return what the trace says of a call that a standing yes has allowed: an answer, and no question before it."""
    return {
        "request_id": None,
        "decision": ApprovalState.APPROVED,
        "grant": GrantChoice.ALWAYS,
        "reason": None,
        "decided_by": "rule",
        "decided_on": None,
    }
