"""Parked runs: two questions in a row that nobody answered set a run aside, and a human may take it up again.

Silence is no decision, so it neither ends the work nor lets it go on. What the run wrote and where its agent stopped
are kept; the run waits as before, its dispatch waits for input, and its author is told. Only this machine's human
resumes it, under the grant as it is then. Kept for seven days: after that it ends as if it had been discarded.
"""

from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, StopRun, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.questions import CHANGESET_WAIT_MS, run_paths, with_run_paths
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import Box, DispatchRecord, EventRecord, RunRecord
from dispatch_daemon.core.rundir import RunDirectory
from dispatch_daemon.core.runs import Ending, ended, heartbeat_plan
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DISPATCH, RUN, DispatchState, Outcome, RunState, advance
from dispatch_protocol.messages.answers import PARKED, ReceiptType
from dispatch_protocol.messages.trace import EventType, Usage
from dispatch_protocol.scopes import Returns, Scopes
from dispatch_protocol.timestamps import format_time

RETENTION_MS = CHANGESET_WAIT_MS
SILENCES = 2  # questions in a row that nobody answered


def detail(now_ms: int) -> str:
    """Return what both sides are told of a run that is set aside; nothing of the call that nobody read."""
    until = format_time(now_ms + RETENTION_MS)
    return f"nobody answered twice in a row, so it waits to be taken up again until {until}"


def parked(record: DispatchRecord, run: RunRecord, own: Own, peer: Peer, moment: Moment) -> list[Effect]:
    """Set a waiting run aside: its dispatch waits for input, its author hears so, and its keeping has an end."""
    said = detail(moment.now_ms)
    kept = replace(run, parked_ms=moment.now_ms, outcome=Outcome.BLOCKED, code=PARKED, detail=said)
    waiting = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.WAITING_INPUT),
        outcome=Outcome.BLOCKED,
        ended_code=PARKED,
        ended_detail=said,
    )
    _, told = receipt(
        waiting,
        own,
        peer,
        moment,
        ReceiptType.WAITING,
        code=PARKED,
        detail=said,
        run=run,
        data={"state": RunState.WAITING_APPROVAL},
    )
    data: dict[str, JSON] = {"status": DispatchState.WAITING_INPUT, "code": PARKED, "detail": said}
    return [
        *told,
        Put(kept),
        Note(record.digest, moment.now_ms, EventType.STATUS, data, run.run_id),
        Unplan(TaskKind.RUN, run.run_id),
        Unplan(TaskKind.HEARTBEAT, run.run_id),
        Plan(
            kind=TaskKind.RETENTION,
            key=run.run_id,
            not_before_ms=moment.now_ms + RETENTION_MS,
            payload={},
        ),
    ]


def require_parked(record: DispatchRecord, run: RunRecord | None) -> RunRecord:
    """Return the run of a dispatch that waits to be resumed.

    Raises:
        ServiceError: `wrong_party` for what somebody else runs, `not_pending` if nothing is parked.
    """
    if record.box is Box.SENT:
        raise ServiceError("wrong_party", "you sent this dispatch; only its recipient takes it up again")
    if record.state is not DispatchState.WAITING_INPUT or run is None or run.parked_ms is None:
        raise ServiceError("not_pending", f"nothing of this dispatch is parked: it is {record.state}")
    return run


def resumed(
    record: DispatchRecord, run: RunRecord, *, scopes: Scopes, place: RunDirectory, now_ms: int
) -> list[Effect]:
    """Owe a parked run again, under the scopes of now; its author hears of it once the wall stands.

    Raises:
        ServiceError: `scopes_changed` if the edge no longer grants exactly the paths that were kept.
    """
    if sorted(place.paths) != sorted(run_paths(run)):
        raise ServiceError(
            "scopes_changed",
            "this edge grants other paths now than when the run was parked, so it cannot go on",
        )
    again = replace(
        run,
        scopes=with_run_paths(scopes, place.paths),
        outcome=None,
        code=None,
        detail=None,
        changeset=(),
        changeset_digest=None,
        diffs=(),
        left_behind=(),
        artifacts=(),
    )
    taken_up = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.ACCEPTED),
        outcome=None,
        ended_code=None,
        ended_detail=None,
    )
    data: dict[str, JSON] = {"decision": "resumed", "cwd": run.cwd}
    return [
        Put(taken_up),
        Put(again),
        Note(record.digest, now_ms, EventType.DECISION_MADE, data, run.run_id),
        Unplan(TaskKind.RETENTION, run.run_id),
        Plan(kind=TaskKind.RUN, key=run.run_id, not_before_ms=now_ms, payload={}),
    ]


def is_owed(record: DispatchRecord, run: RunRecord) -> bool:
    """Return whether a parked run was taken up and its wall does not stand yet."""
    return run.parked_ms is not None and record.state is DispatchState.ACCEPTED


def restarted(
    record: DispatchRecord,
    run: RunRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    confinement: dict[str, JSON],
    model: str | None = None,
) -> list[Effect]:
    """Tell the author that a resumed run goes on inside its wall; from here on it is a run like any other."""
    running = replace(
        run,
        state=advance(RUN, run.state, RunState.RUNNING),
        last_heard_ms=moment.now_ms,
        confinement=confinement,
        parked_ms=None,
        model=model,
    )
    told = {"agent": run.agent or "none"}
    _, effects = receipt(record, own, peer, moment, ReceiptType.STARTED, run=run, data=told)
    data: dict[str, JSON] = {
        "cwd": run.cwd,
        "agent": run.agent,
        "confinement": confinement,
        "resumed": True,
    }
    return [
        *effects,
        Put(running),
        Note(record.digest, moment.now_ms, EventType.RUN_STARTED, data, run.run_id),
        heartbeat_plan(run.run_id, moment.now_ms),
    ]


def dropped(
    record: DispatchRecord,
    run: RunRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    code: str,
    detail: str,
    returns: Returns,
    events: Sequence[EventRecord],
) -> list[Effect]:
    """End a parked run as blocked, and throw away what was kept of it: a human said so, or its time is over."""
    ending = Ending(outcome=Outcome.BLOCKED, summary=detail, code=code, detail=detail)
    return [
        Note(record.digest, moment.now_ms, EventType.DISCARDED, {"reason": code}, run.run_id),
        *ended(
            record,
            run,
            own,
            peer,
            moment,
            ending=ending,
            returns=returns,
            usage=Usage(),
            events=events,
            approvals=(),
        ),
        StopRun(run.run_id, code),
    ]
