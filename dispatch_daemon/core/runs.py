"""A run's life at the recipient: started, asking, settling, applying, ended; each step durable and told.

A run that a crash cut off never starts again by itself: what it wrote lay in its copy, so it is discarded
and ends `failed`, `interrupted`; only a changeset whose apply had begun is carried to its end.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dispatch_daemon.core.composing import Moment, Own, Peer, answer
from dispatch_daemon.core.decisions import withdraw
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, TaskKind, Unplan
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import ApprovalRecord, DispatchRecord, EventRecord, RunRecord
from dispatch_daemon.core.traces import artifact_of, change_of, confinement_of, diff_of
from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.head import Head
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DISPATCH, RUN, DispatchState, Outcome, RunState, advance, run_end
from dispatch_protocol.limits import BODY_BYTES, DIFF_BYTES
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.result import EVENTS, Result, withhold
from dispatch_protocol.messages.trace import Event, EventType, Usage
from dispatch_protocol.scopes import Returns

HEARTBEAT_MS = 30_000
_RETURNED_EVENTS_BYTES = 256 * 1024
_RETURNED_CHANGES_BYTES = 256 * 1024
_RETURNED_ARTIFACTS_BYTES = 64 * 1024
_RETURNED_EVENT_TYPES = frozenset(
    {EventType.TOOL_CALL, EventType.TOOL_RESULT, EventType.MESSAGE, EventType.REASONING, EventType.WARNING}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended, in the words that go into the signed result."""

    outcome: Outcome
    summary: str
    code: str | None = None
    detail: str | None = None


def broken_off(why: str, code: str, run: RunRecord, events: Sequence[EventRecord]) -> Ending:
    """Return how a run ends that nobody can carry on: nothing is applied, but what it did outside the wall is done."""
    outside = any(
        event.type is EventType.GATE and event.data.get("effects") == "external"
        for event in events
        if event.run_id == run.run_id
    )
    detail = f"{why}; nothing was applied"
    if outside:
        detail += "; it had reached outside the wall, and may have acted there"
    return Ending(outcome=Outcome.FAILED, summary=detail, code=code, detail=detail)


def started(
    record: DispatchRecord,
    run: RunRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    confinement: dict[str, JSON],
    model: str | None = None,
) -> list[Effect]:
    """Tell the author that the wall stands and the run has begun, and promise signs of life.

    `model` is kept here, and not told: which one an agent asks is its owner's affair.
    """
    running = replace(
        run,
        state=advance(RUN, run.state, RunState.RUNNING),
        started_ms=moment.now_ms,
        last_heard_ms=moment.now_ms,
        confinement=confinement,
        model=model,
    )
    told = {"agent": run.agent or "none"}
    _, effects = receipt(record, own, peer, moment, ReceiptType.STARTED, run=run, data=told)
    return [
        *effects,
        Put(running),
        Note(
            record.digest,
            moment.now_ms,
            EventType.RUN_STARTED,
            {"cwd": run.cwd, "agent": run.agent, "confinement": confinement},
            run.run_id,
        ),
        heartbeat_plan(run.run_id, moment.now_ms),
    ]


def heartbeat_plan(run_id: str, now_ms: int) -> Plan:
    """Owe the author the next sign of life of this run."""
    return Plan(kind=TaskKind.HEARTBEAT, key=run_id, not_before_ms=now_ms + HEARTBEAT_MS, payload={})


def heartbeat(record: DispatchRecord, run: RunRecord, own: Own, peer: Peer, moment: Moment) -> list[Effect]:
    """Tell the author that the run lives, and owe the next sign; nothing once it is over."""
    if run.state not in (RunState.RUNNING, RunState.WAITING_APPROVAL, RunState.SETTLING, RunState.APPLYING):
        return [Unplan(TaskKind.HEARTBEAT, run.run_id)]
    kind = ReceiptType.WAITING if run.state is RunState.WAITING_APPROVAL else ReceiptType.HEARTBEAT
    _, effects = receipt(record, own, peer, moment, kind, run=run, data={"state": run.state})
    return [
        *effects,
        Put(replace(run, last_heard_ms=moment.now_ms)),
        heartbeat_plan(run.run_id, moment.now_ms),
    ]


def move(run: RunRecord, to: RunState, now_ms: int, **changes: object) -> tuple[RunRecord, list[Effect]]:
    """Take a run one step along the table; `changes` are further fields of the record."""
    moved = replace(run, state=advance(RUN, run.state, to), last_heard_ms=now_ms, **changes)  # type: ignore[arg-type]  # any of its fields
    return moved, [Put(moved), Note(run.digest, now_ms, EventType.RUN_STATE, {"state": to}, run.run_id)]


def ended(
    record: DispatchRecord,
    run: RunRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    ending: Ending,
    returns: Returns,
    usage: Usage,
    events: Sequence[EventRecord],
    approvals: Sequence[ApprovalRecord],
) -> list[Effect]:
    """End the run and the dispatch with one outcome, and owe the author the signed result.

    `usage` is what the agent used, its tool calls aside: these are counted from `events`.
    """
    told = [event for event in events if event.run_id == run.run_id]
    used = _used(usage, told)
    over = _over(run, ending, used, moment.now_ms)
    finished = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.FINISHED),
        outcome=ending.outcome,
        summary=ending.summary,
        ended_code=ending.code,
        ended_detail=ending.detail,
    )
    _, effects = answer(
        finished,
        own,
        peer,
        now_ms=moment.now_ms,
        nonce=moment.nonce(),
        make=lambda head, seq, prev: _returned(
            _result(head, seq, prev, run, ending, returns, moment.now_ms), over, used, told
        ),
    )
    data: dict[str, JSON] = {"outcome": ending.outcome, "code": ending.code, "detail": ending.detail}
    return [
        Put(over),
        *effects,
        *withdraw(approvals, moment.now_ms),
        Note(record.digest, moment.now_ms, EventType.RUN_ENDED, data, run.run_id),
        Unplan(TaskKind.RUN, run.run_id),
        Unplan(TaskKind.HEARTBEAT, run.run_id),
        Unplan(TaskKind.RETENTION, run.run_id),
    ]


def _over(run: RunRecord, ending: Ending, used: Usage, now_ms: int) -> RunRecord:
    return replace(
        run,
        state=advance(RUN, run.state, run_end(ending.outcome)),
        outcome=ending.outcome,
        code=ending.code,
        detail=ending.detail,
        ended_ms=now_ms,
        last_heard_ms=now_ms,
        usage=used.write(),
        parked_ms=None,
    )


def _used(usage: Usage, events: Sequence[EventRecord]) -> Usage:
    """Count the tool calls of a run; what else it used is known from its agent."""
    return replace(usage, tool_calls=sum(event.type is EventType.TOOL_CALL for event in events))


def _result(
    head: Head, seq: int, prev: Digest, run: RunRecord, ending: Ending, returns: Returns, now_ms: int
) -> Result:
    """Return the result with what every author may see: how the run ended, and when."""
    return Result(
        head=head,
        seq=seq,
        prev=prev,
        run_id=uuid.UUID(run.run_id),
        outcome=ending.outcome,
        summary=ending.summary,
        returns=returns,
        agent=run.agent or "none",
        started_ms=run.started_ms or 0,
        ended_ms=now_ms,
        code=ending.code,
    )


def _returned(result: Result, run: RunRecord, usage: Usage, events: Sequence[EventRecord]) -> Result:
    """Fill in what the grant's `returns` lets the author see, within the size of one body."""
    applied = run.state is RunState.COMPLETED
    changes, cut = _within(run.changeset if applied else (), _RETURNED_CHANGES_BYTES)
    diffs, diffs_cut = _within(run.diffs if applied else (), DIFF_BYTES)
    artifacts, _ = _within(run.artifacts if applied else (), _RETURNED_ARTIFACTS_BYTES)
    shown = replace(
        result,
        changeset=tuple(change_of(change) for change in changes),
        changeset_digest=Digest.from_hex(run.changeset_digest) if applied and run.changeset_digest else None,
        diffs=tuple(diff_of(diff) for diff in diffs),
        diff_truncated=cut or diffs_cut or any(bool(diff.get("truncated")) for diff in diffs),
        artifacts=tuple(artifact_of(artifact) for artifact in artifacts),
        confinement=None if run.confinement is None else confinement_of(run.confinement),
        usage=usage,
    )
    if result.returns is not Returns.TRACE:
        return withhold(shown, result.returns)
    return replace(shown, events=_last_events(events))


def _within(items: Sequence[dict[str, JSON]], limit: int) -> tuple[list[dict[str, JSON]], bool]:
    """Return as many items from the start as fit, and whether any were left out."""
    kept: list[dict[str, JSON]] = []
    total = 0
    for item in items:
        total += len(dumps(item))
        if total > limit:
            return kept, True
        kept.append(item)
    return kept, False


def _last_events(events: Sequence[EventRecord]) -> tuple[Event, ...]:
    """Return the last events that fit, counted from 1: the end of a trace says more than its beginning."""
    told = [
        Event(seq=EVENTS, at_ms=event.at_ms, type=event.type, data=event.data)
        for event in events
        if event.type in _RETURNED_EVENT_TYPES
    ]
    total = 0
    kept: list[Event] = []
    for event in reversed(told[-EVENTS:]):
        total += len(dumps(event.write()))
        if total > _RETURNED_EVENTS_BYTES:
            break
        kept.append(event)
    return tuple(replace(event, seq=number) for number, event in enumerate(reversed(kept), start=1))


_RETURNED_BYTES = _RETURNED_EVENTS_BYTES + _RETURNED_CHANGES_BYTES + _RETURNED_ARTIFACTS_BYTES + DIFF_BYTES
assert _RETURNED_BYTES < BODY_BYTES  # noqa: S101 - a fact of the constants
