"""What one signed answer does to a dispatch and its run at the author's: along the tables, or not at all."""

from dataclasses import dataclass, replace
from uuid import UUID

from dispatch_daemon.core.composing import has_files
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, Settle, TaskKind
from dispatch_daemon.core.records import DispatchRecord, RunRecord
from dispatch_daemon.core.traces import artifact_data, change_data
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DISPATCH, RUN, DispatchState, Outcome, RunState, advance, run_end
from dispatch_protocol.messages.answers import PARKED, Answer, Decision, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.trace import EventType

_HAVE_IT = (
    DispatchState.DELIVERED,
    DispatchState.ACCEPTED,
    DispatchState.WAITING_INPUT,
    DispatchState.FINISHED,
)


@dataclass(frozen=True, slots=True)
class Desk:
    """An author's view of one dispatch while answers are taken in: the record, its run, and what to do."""

    record: DispatchRecord
    run: RunRecord | None
    effects: tuple[Effect, ...] = ()

    def then(
        self, *effects: Effect, record: DispatchRecord | None = None, run: RunRecord | None = None
    ) -> "Desk":
        return Desk(record or self.record, run or self.run, self.effects + effects)


def take_in(desk: Desk, message: Answer, now_ms: int) -> Desk:
    """Move the dispatch and its run by one answer whose turn has come; what the tables forbid is noted."""
    match message:
        case Receipt():
            return _apply_receipt(desk, message, now_ms)
        case Decision():
            return _apply_decision(desk, message, now_ms)
        case _:  # a result, the last of the answers
            return _apply_result(desk, message, now_ms)


def _moved(desk: Desk, state: DispatchState, now_ms: int, data: dict[str, JSON], **changes: object) -> Desk:
    """Move the record along the table; an answer that the table does not allow is told and moves nothing."""
    record = desk.record
    if state not in DISPATCH[record.state]:
        return _unexpected(desk, f"{state}, but this dispatch is {record.state}", now_ms)
    moved = replace(record, state=advance(DISPATCH, record.state, state), **changes)  # type: ignore[arg-type]  # any of its fields
    note = Note(record.digest, now_ms, EventType.STATUS, {"status": state} | data)
    return desk.then(note, record=moved)


def _unexpected(desk: Desk, said: str, now_ms: int) -> Desk:
    """Note a signed answer that cannot be true of this dispatch; it stays evidence."""
    data: dict[str, JSON] = {"warning": f"a signed answer says {said}"}
    return desk.then(Note(desk.record.digest, now_ms, EventType.WARNING, data))


def _apply_receipt(desk: Desk, receipt: Receipt, now_ms: int) -> Desk:
    said: dict[str, JSON] = {"code": receipt.code, "detail": receipt.detail}
    match receipt.type:
        case ReceiptType.DELIVERED if desk.record.state in _HAVE_IT:
            return desk.then(Settle(desk.record.digest))  # each device of theirs says so for itself
        case ReceiptType.DELIVERED:
            moved = _moved(desk, DispatchState.DELIVERED, now_ms, {})
            return moved.then(Settle(desk.record.digest))
        case ReceiptType.REFUSED | ReceiptType.UNSUPPORTED | ReceiptType.STALE_CHAIN:
            code = receipt.code or str(receipt.type)
            return _moved(
                desk, DispatchState.REFUSED, now_ms, said, ended_code=code, ended_detail=receipt.detail
            )
        case ReceiptType.EXPIRED:
            if desk.record.state is DispatchState.EXPIRED:  # presumed so far, and now signed
                return desk.then(record=replace(desk.record, ended_code="expired"))
            return _moved(desk, DispatchState.EXPIRED, now_ms, said, ended_code="expired")
        case ReceiptType.STARTED | ReceiptType.HEARTBEAT:
            return _run_is(desk, receipt, RunState.RUNNING, now_ms)
        case ReceiptType.CANCELLED:
            return _cancelled(desk, receipt, now_ms)
        case _:  # waiting, the last of the types
            return _run_is(desk, receipt, RunState.WAITING_APPROVAL, now_ms)


def _cancelled(desk: Desk, receipt: Receipt, now_ms: int) -> Desk:
    said: dict[str, JSON] = {"code": receipt.code, "detail": receipt.detail}
    ended = {"outcome": None, "ended_code": receipt.code, "ended_detail": receipt.detail}
    if desk.record.state not in (DispatchState.ACCEPTED, DispatchState.WAITING_INPUT):
        return _moved(desk, DispatchState.CANCELLED, now_ms, said, **ended)
    run = _run_of(desk, receipt.run_id)
    if run is None:
        return _unexpected(desk, "another run was cancelled", now_ms)
    stopped = replace(
        run,
        state=RunState.CANCELLED,
        ended_ms=now_ms,
        last_heard_ms=now_ms,
        code=receipt.code,
        detail=receipt.detail,
    )
    moved = _moved(desk, DispatchState.FINISHED, now_ms, said, **ended)
    return moved.then(Put(stopped), run=stopped)


def _run_of(desk: Desk, run_id: UUID | None) -> RunRecord | None:
    """Return the run that was accepted here, if an answer is about that one and no other."""
    return desk.run if desk.run is not None and desk.run.run_id == str(run_id) else None


def _run_is(desk: Desk, receipt: Receipt, state: RunState, now_ms: int) -> Desk:
    """Follow the recipient's run; what it did in between is not told, so only the order of the table holds."""
    run = _run_of(desk, receipt.run_id)
    if run is None or state not in _reachable(run.state) | {run.state}:
        return desk
    desk = _set_aside(desk, receipt, now_ms)
    first = run.started_ms is None and receipt.type is ReceiptType.STARTED
    followed = replace(
        run,
        state=state,
        started_ms=receipt.head.created_ms if first else run.started_ms,
        last_heard_ms=now_ms,
    )
    effects: list[Effect] = [Put(followed)]
    if followed.state is not run.state:
        effects.append(Note(run.digest, now_ms, EventType.RUN_STATE, {"state": state}, run.run_id))
    return desk.then(*effects, run=followed)


def _set_aside(desk: Desk, receipt: Receipt, now_ms: int) -> Desk:
    """Follow a run that is parked, or goes on after it was: its dispatch waits for the recipient's human, or no more."""
    parked = receipt.type is ReceiptType.WAITING and receipt.code == PARKED
    if parked and desk.record.state is DispatchState.ACCEPTED:
        said: dict[str, JSON] = {"code": receipt.code, "detail": receipt.detail}
        blocked = {"outcome": Outcome.BLOCKED, "ended_code": receipt.code, "ended_detail": receipt.detail}
        return _moved(desk, DispatchState.WAITING_INPUT, now_ms, said, **blocked)
    if not parked and desk.record.state is DispatchState.WAITING_INPUT:
        again = {"outcome": None, "ended_code": None, "ended_detail": None}
        return _moved(desk, DispatchState.ACCEPTED, now_ms, {}, **again)
    return desk


def _reachable(state: RunState) -> frozenset[RunState]:
    """Return every state that can follow by the table, at once or later: the author is told of few of the steps."""
    found: set[RunState] = set()
    todo = [state]
    while todo:
        after = RUN[todo.pop()] - found
        found |= after
        todo += after
    return frozenset(found)


def _apply_decision(desk: Desk, decision: Decision, now_ms: int) -> Desk:
    shown: dict[str, JSON] = {
        "mode": None if decision.mode is None else str(decision.mode),
        "target": None,
        "async": decision.decision is Verdict.ACCEPTED,
        "reason": decision.reason,
    }
    record = desk.record
    decided = record.accepted_decisions + record.declined_decisions > 0
    if decision.decision is Verdict.DECLINED:
        refusals = record.declined_decisions + 1
        if decided:  # of two answers the first one counts; a no beside a yes is evidence of a conflict and is shown as one
            return desk.then(record=replace(record, declined_decisions=refusals))
        said: dict[str, JSON] = {"reason": decision.reason}
        return _moved(desk, DispatchState.DECLINED, now_ms, said, decision=shown, declined_decisions=refusals)
    count = record.accepted_decisions + 1
    if decided:  # and so is a second yes
        return desk.then(record=replace(record, accepted_decisions=count))
    moved = _moved(desk, DispatchState.ACCEPTED, now_ms, {}, decision=shown, accepted_decisions=count)
    if moved.record.state is not DispatchState.ACCEPTED:
        return moved
    run = RunRecord(
        run_id=str(decision.run_id),
        digest=desk.record.digest,
        state=RunState.QUEUED,
        created_ms=now_ms,
        device=decision.head.sender.device.hex,
        last_heard_ms=now_ms,
    )
    return moved.then(Put(run), run=run)


def _apply_result(desk: Desk, result: Result, now_ms: int) -> Desk:
    run = _run_of(desk, result.run_id)
    if run is None or DispatchState.FINISHED not in DISPATCH[desk.record.state]:
        # What ended once is not told anew, and what was never accepted does not end: it stays evidence.
        return _unexpected(desk, f"a run ended, but this dispatch is {desk.record.state}", now_ms)
    moved = _moved(
        desk,
        DispatchState.FINISHED,
        now_ms,
        {"outcome": result.outcome},
        outcome=result.outcome,
        summary=result.summary,
        ended_code=result.code,
    )
    over = replace(
        run,
        state=run_end(result.outcome),
        outcome=result.outcome,
        code=result.code,
        agent=result.agent,
        started_ms=result.started_ms or None,
        ended_ms=result.ended_ms,
        last_heard_ms=now_ms,
        confinement=None if result.confinement is None else result.confinement.write(),
        changeset=tuple(change_data(change) for change in result.changeset),
        changeset_digest=None if result.changeset_digest is None else result.changeset_digest.hex,
        diffs=tuple(diff.write() for diff in result.diffs),
        artifacts=tuple(artifact_data(artifact) for artifact in result.artifacts),
        usage=None if result.usage is None else result.usage.write(),
    )
    notes = [
        Note(desk.record.digest, event.at_ms, event.type, dict(event.data), run.run_id)
        for event in result.events
    ]
    came = [Plan(kind=TaskKind.FETCH, key=desk.record.digest, not_before_ms=now_ms, payload={})]
    return moved.then(*notes, Put(over), *(came if has_files(result) else []), run=over)
