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
from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DISPATCH, RUN, DispatchState, Outcome, RunState, advance, run_end
from dispatch_protocol.limits import BODY_BYTES, DIFF_BYTES
from dispatch_protocol.messages.answers import ReceiptType, Result
from dispatch_protocol.messages.files import Artifact
from dispatch_protocol.messages.result import withhold
from dispatch_protocol.messages.trace import (
    Change,
    ChangeOp,
    Confinement,
    Event,
    EventType,
    FileDiff,
    Usage,
)
from dispatch_protocol.scopes import Returns

HEARTBEAT_MS = 30_000
_RETURNED_EVENTS_BYTES = 256 * 1024
_RETURNED_CHANGES_BYTES = 256 * 1024
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


def started(
    record: DispatchRecord,
    run: RunRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    confinement: dict[str, JSON],
) -> list[Effect]:
    """Tell the author that the wall stands and the run has begun, and promise signs of life."""
    running = replace(
        run,
        state=advance(RUN, run.state, RunState.RUNNING),
        started_ms=moment.now_ms,
        last_heard_ms=moment.now_ms,
        confinement=confinement,
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
    moved = replace(run, state=advance(RUN, run.state, to), last_heard_ms=now_ms, **changes)  # type: ignore[arg-type]
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
    events: Sequence[EventRecord],
    approvals: Sequence[ApprovalRecord],
) -> list[Effect]:
    """End the run and the dispatch with one outcome, and owe the author the signed result."""
    over = replace(
        run,
        state=advance(RUN, run.state, run_end(ending.outcome)),
        outcome=ending.outcome,
        code=ending.code,
        detail=ending.detail,
        ended_ms=moment.now_ms,
        last_heard_ms=moment.now_ms,
    )
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
            Result(
                head=head,
                seq=seq,
                prev=prev,
                run_id=uuid.UUID(run.run_id),
                outcome=ending.outcome,
                summary=ending.summary,
                returns=returns,
                agent=run.agent or "none",
                started_ms=run.started_ms or moment.now_ms,
                ended_ms=moment.now_ms,
                code=ending.code,
            ),
            over,
            events,
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
    ]


def _returned(result: Result, run: RunRecord, events: Sequence[EventRecord]) -> Result:
    """Fill in what the grant's `returns` lets the author see, within the size of one body."""
    applied = run.state is RunState.COMPLETED
    changes, cut = _within(run.changeset if applied else (), _RETURNED_CHANGES_BYTES)
    diffs, diffs_cut = _within(run.diffs if applied else (), DIFF_BYTES)
    shown = replace(
        result,
        changeset=tuple(change_of(change) for change in changes),
        changeset_digest=Digest.from_hex(run.changeset_digest) if applied and run.changeset_digest else None,
        diffs=tuple(diff_of(diff) for diff in diffs),
        diff_truncated=cut or diffs_cut or any(bool(diff.get("truncated")) for diff in diffs),
        artifacts=tuple(artifact_of(artifact) for artifact in run.artifacts[:1000]) if applied else (),
        confinement=_confinement_of(run),
        usage=Usage(tool_calls=sum(event.type is EventType.TOOL_CALL for event in events)),
    )
    if result.returns is not Returns.TRACE:
        return withhold(shown, result.returns)
    told = [event for event in events if event.run_id == run.run_id and event.type in _RETURNED_EVENT_TYPES]
    numbered = [
        Event(seq=number, at_ms=event.at_ms, type=event.type, data=event.data)
        for number, event in enumerate(told, start=1)
    ]
    return replace(shown, events=_events_within(numbered, _RETURNED_EVENTS_BYTES))


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


def _events_within(events: Sequence[Event], limit: int) -> tuple[Event, ...]:
    """Return the last events that fit: the end of a trace says more than its beginning."""
    total = 0
    for number, event in enumerate(reversed(events)):
        total += len(dumps(dict(event.data)))
        if total > limit:
            return tuple(events[len(events) - number :])
    return tuple(events)


def change_of(data: dict[str, JSON]) -> Change:
    """Return the protocol's form of a change that the journal holds."""
    sha256 = data.get("sha256")
    return Change(
        op=ChangeOp(str(data["op"])),
        path=str(data["path"]),
        kind=str(data["kind"]),
        old_mode=_integer(data.get("old_mode")),
        new_mode=_integer(data.get("new_mode")),
        size_bytes=_integer(data.get("size_bytes")),
        sha256=None if sha256 is None else Digest.from_hex(str(sha256)),
        target=None if data.get("target") is None else str(data["target"]),
        flags=tuple(str(flag) for flag in _list(data.get("flags"))),
    )


def diff_of(data: dict[str, JSON]) -> FileDiff:
    """Return the protocol's form of a diff that the journal holds."""
    return FileDiff(
        path=str(data["path"]),
        text=str(data["text"]),
        truncated=bool(data["truncated"]),
        binary=bool(data["binary"]),
    )


def artifact_of(data: dict[str, JSON]) -> Artifact:
    """Return the protocol's form of an artifact that the journal holds."""
    return Artifact(
        name=str(data["name"]),
        kind=str(data["kind"]),
        mime_type=str(data["mime_type"]),
        size_bytes=_integer(data["size_bytes"]) or 0,
        sha256=Digest.from_hex(str(data["sha256"])),
    )


def _confinement_of(run: RunRecord) -> Confinement | None:
    held = run.confinement
    if held is None:
        return None
    return Confinement(
        layers=tuple(str(layer) for layer in _list(held.get("layers"))),
        limits_by=str(held.get("limits_by")),
        warnings=tuple(str(warning) for warning in _list(held.get("warnings"))),
    )


def _integer(value: JSON) -> int | None:
    return value if isinstance(value, int) else None


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


assert _RETURNED_EVENTS_BYTES + _RETURNED_CHANGES_BYTES + DIFF_BYTES < BODY_BYTES  # noqa: S101 - a fact of the constants
