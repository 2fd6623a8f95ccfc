"""Undoing: what an apply replaced is kept for a while, and the human of this machine may have it back, once.

An undo is no message. What somebody does with their own files after a run is theirs, so nobody is told; the signed
result goes on saying what was applied when it was. The yes names the changes that were shown by their digest, and is
durable before anything is touched: after a crash the same changes are undone, or none.
"""

from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.core.effects import Effect, Note, Plan, Put, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord, Door, RunRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.timestamps import format_time

KEPT_MS = 14 * 86_400_000
KEPT_BYTES = 1024**3  # of all runs together
_SHOWN_PATHS = 5


def kept(run: RunRecord, others: Sequence[RunRecord], size_bytes: int, now_ms: int) -> list[Effect]:
    """Keep what an apply of this run replaced for two weeks, and let the oldest go where all together are too large.

    `others` are the runs of which originals are kept, in any order.
    """
    keeping = replace(run, undo_until_ms=now_ms + KEPT_MS, originals_bytes=size_bytes)
    effects: list[Effect] = [Put(keeping), _forget_at(keeping, now_ms + KEPT_MS)]
    newest_first = sorted(
        (other for other in others if other.run_id != run.run_id),
        key=lambda other: (other.undo_until_ms or 0, other.run_id),
        reverse=True,
    )
    total = 0
    for each in (keeping, *newest_first):
        total += each.originals_bytes or 0
        if total > KEPT_BYTES:
            effects.append(_forget_at(each, now_ms))
    return effects


def _forget_at(run: RunRecord, at_ms: int) -> Plan:
    return Plan(kind=TaskKind.ORIGINALS, key=run.run_id, not_before_ms=at_ms, payload={})


def require_undoable(
    record: DispatchRecord, run: RunRecord | None, now_ms: int, *, going_on: bool = False
) -> RunRecord:
    """Return the run whose changes may be taken back; `going_on` says that they are being taken back.

    Raises:
        ServiceError: `wrong_party` for what somebody else ran, `not_pending` if it changed nothing here or is undone
            already, `not_kept` when its originals are gone.
    """
    if record.box is Box.SENT:
        raise ServiceError(
            "wrong_party", "you sent this dispatch; only its recipient can take its changes back"
        )
    if run is None or run.state is not RunState.COMPLETED or not run.changeset:
        raise ServiceError("not_pending", "nothing of this dispatch was applied to files here")
    if run.undone_ms is not None:
        raise ServiceError("not_pending", f"its changes were undone at {format_time(run.undone_ms)}")
    if going_on:
        raise ServiceError("not_pending", "its changes are being undone")
    if run.undo_until_ms is None or run.undo_until_ms <= now_ms:
        raise ServiceError(
            "not_kept",
            "what its changes replaced is not kept any more: that is for two weeks, or until there is no room",
            hint=f"dispatch result {record.dispatch_id[:8]}",
        )
    return run


def begun(run: RunRecord, digest: str, door: Door, now_ms: int) -> list[Effect]:
    """Owe an undo to which a human has said yes; the digest names what they saw."""
    data: dict[str, JSON] = {"decision": "undo", "decided_by": door, "digest": digest}
    return [
        Note(run.digest, now_ms, EventType.DECISION_MADE, data, run.run_id),
        Plan(kind=TaskKind.UNDO, key=run.run_id, not_before_ms=now_ms, payload={"digest": digest}),
    ]


def undone(run: RunRecord, now_ms: int) -> list[Effect]:
    """Say that the files are as they were before the run; what was kept for this may go."""
    return [
        Put(replace(run, undone_ms=now_ms)),
        Note(run.digest, now_ms, EventType.UNDONE, {"changes": len(run.changeset)}, run.run_id),
        Unplan(TaskKind.UNDO, run.run_id),
        _forget_at(run, now_ms),
    ]


def not_undone(run: RunRecord, detail: str, now_ms: int) -> list[Effect]:
    """Say that the files are as the run left them, and why; it may be asked again."""
    data: dict[str, JSON] = {"warning": f"not undone: {detail}"}
    return [
        Note(run.digest, now_ms, EventType.WARNING, data, run.run_id),
        Unplan(TaskKind.UNDO, run.run_id),
    ]


def in_the_way(paths: Sequence[str], *, midway: bool) -> str:
    """Return what to tell when somebody changed what would be undone: since the run, or while it was undone."""
    shown = ", ".join(paths[:_SHOWN_PATHS])
    more = f" and {len(paths) - _SHOWN_PATHS} more" if len(paths) > _SHOWN_PATHS else ""
    if midway:
        return f"these changed while it was undone and were left as they are: {shown}{more}"
    return f"these changed since, and were left as they are: {shown}{more}"


def forgotten(run: RunRecord) -> list[Effect]:
    """Say that what a run replaced is not kept any more; its task stays owed until the files are gone."""
    return [Put(replace(run, undo_until_ms=None, originals_bytes=None))]
