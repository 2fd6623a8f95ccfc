"""Questions to the human of this machine: asked, answered here and nowhere else, or denied by silence."""

from dataclasses import replace

from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, Resolve, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.gate import bash_command, call_input
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    DispatchRecord,
    GrantChoice,
    RuleRecord,
    RunRecord,
)
from dispatch_daemon.core.runs import move
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.timestamps import format_time

TIMEOUT_REASON = "nobody answered in time"


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
    edge: str,
    moment: Moment,
) -> list[Effect]:
    """Answer an open question; the first valid answer wins.

    Raises:
        ServiceError: `not_pending` if it is no longer open, `invalid` for a grant that this kind does not have.
    """
    if approval.state is not ApprovalState.OPEN:
        raise ServiceError("not_pending", f"this question is no longer open: it was {approval.state}")
    if moment.now_ms >= approval.deadline_ms:
        raise ServiceError("not_pending", "this question's time is over; it was denied")
    if not approved and grant is not None:
        raise ServiceError("invalid", "a denial takes no grant")
    choice = grant or GrantChoice.ONCE
    if approval.kind is ApprovalKind.CHANGESET and choice is not GrantChoice.ONCE:
        raise ServiceError("invalid", "a changeset is approved once, as it is shown")
    effects = _close(
        approval,
        ApprovalState.APPROVED if approved else ApprovalState.DENIED,
        choice if approved else None,
        reason,
        moment.now_ms,
    )
    if approved and choice is GrantChoice.ALWAYS and approval.tool is not None:
        rule = RuleRecord(
            rule_id=str(moment.uuid()),
            edge=edge,
            tool=approval.tool,
            command=bash_command(approval.tool, call_input(approval)),
            created_ms=moment.now_ms,
        )
        effects.append(Put(rule))
    return effects


def time_out(approval: ApprovalRecord, now_ms: int) -> list[Effect]:
    """Turn silence into a no."""
    if approval.state is not ApprovalState.OPEN or now_ms < approval.deadline_ms:
        return []
    return _close(approval, ApprovalState.EXPIRED, None, TIMEOUT_REASON, now_ms)


def _close(
    approval: ApprovalRecord,
    state: ApprovalState,
    grant: GrantChoice | None,
    reason: str | None,
    now_ms: int,
) -> list[Effect]:
    data: dict[str, JSON] = {
        "request_id": approval.request_id,
        "decision": state,
        "grant": grant,
        "reason": reason,
    }
    return [
        Put(replace(approval, state=state, grant=grant, reason=reason, decided_ms=now_ms)),
        Note(approval.digest, now_ms, EventType.APPROVAL_DECIDED, data, approval.run_id),
        Unplan(TaskKind.ANSWER_DEADLINE, approval.request_id),
        Resolve(approval.request_id),
    ]
