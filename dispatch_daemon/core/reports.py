"""What the author's daemon makes of the recipient's signed answers; nothing else moves a sent dispatch.

Answers of one device form a chain by `seq` and `prev`. One that comes too early is kept and waits for its
predecessor; one that contradicts the chain is kept as evidence and moves nothing.
"""

from dataclasses import dataclass, replace

from dispatch_daemon.core.composing import Moment, Own, Peer, answer_type, head_of, send_of
from dispatch_daemon.core.effects import Effect, Note, Put, Settle, SettleAbout, TaskKind, Unplan
from dispatch_daemon.core.records import AnswerRecord, DispatchRecord, RunRecord
from dispatch_protocol import payloads
from dispatch_protocol.answer_chain import AnswerChain, Place, follow
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DISPATCH, DispatchState, RunState, advance, run_end
from dispatch_protocol.messages.answers import Answer, Decision, Receipt, ReceiptType, Result, Verdict
from dispatch_protocol.messages.follow_on import Ack
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.signing import Signed

_FINAL = frozenset(
    {
        DispatchState.FINISHED,
        DispatchState.REFUSED,
        DispatchState.DECLINED,
        DispatchState.EXPIRED,
        DispatchState.CANCELLED,
    }
)


@dataclass(frozen=True, slots=True)
class Report:
    """One verified answer: the message, and the bytes that were signed."""

    message: Answer
    signed: Signed

    @classmethod
    def of(cls, signed: Signed) -> "Report":
        """Read an answer that the journal holds; it was verified when it came."""
        kind = payloads.kind_of(signed.payload_type)
        message = None if kind is None else decode_body(kind, signed.body)
        if not isinstance(message, Receipt | Decision | Result):
            raise TypeError(f"{signed.payload_type} is no answer")
        return cls(message, signed)

    @property
    def digest(self) -> str:
        return self.signed.digest.hex

    @property
    def place(self) -> Place:
        """Where the answer says it stands in its device's chain."""
        return Place(self.message.seq, self.signed.digest, self.message.prev)

    def record(self, *, now_ms: int, held: bool) -> AnswerRecord:
        """Return the evidence row of this answer."""
        head = self.message.head
        return AnswerRecord(
            digest=self.digest,
            about=head.re.hex,
            kind=_kind(self.message),
            type=answer_type(self.message),
            signed=self.signed.encode(),
            device=head.sender.device.hex,
            seq=self.message.seq,
            at_ms=now_ms,
            held=held,
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the journal holds of one device's answers to one dispatch: those in order, and those that wait."""

    taken: tuple[Digest, ...] = ()
    held: tuple[Report, ...] = ()

    @property
    def chain(self) -> AnswerChain:
        return AnswerChain(self.taken, tuple(report.place for report in self.held))


def receive(
    record: DispatchRecord,
    run: RunRecord | None,
    evidence: Evidence,
    report: Report,
    own: Own,
    peer: Peer,
    moment: Moment,
) -> list[Effect]:
    """Take in one new answer, and after it those that waited for it.

    Raises:
        RefusedError: `sequence_gap`, too many answers wait for one that is missing.
    """
    followed = follow(evidence.chain, report.place)
    known = {each.signed.digest: each for each in (*evidence.held, report)}
    desk = Desk(replace(record, last_heard_ms=moment.now_ms), run)
    if followed.forked:
        data: dict[str, JSON] = {
            "warning": "an answer contradicts the chain of answers",
            "digest": followed.forked[0].digest.hex,
        }
        desk = desk.then(Note(record.digest, moment.now_ms, EventType.WARNING, data))
        if report.place in followed.forked:
            # Kept outside the chain (without a place in it), so that its next arrival is a repeat and no news.
            desk = desk.then(Put(replace(report.record(now_ms=moment.now_ms, held=True), seq=0)))
    elif not followed.taken:
        desk = desk.then(Put(report.record(now_ms=moment.now_ms, held=True)))
    for number, place in enumerate(followed.taken):
        each = known[place.digest]
        desk = desk.then(Put(each.record(now_ms=moment.now_ms, held=False)))
        desk = _apply(desk, each.message, moment.now_ms)
        if desk.record.state in _FINAL:
            desk = _acknowledge(desk, each, own, peer, moment, number)
    return [Put(desk.record), *desk.effects]


def _acknowledge(desk: Desk, report: Report, own: Own, peer: Peer, moment: Moment, number: int) -> Desk:
    record = desk.record
    head = head_of(
        own, peer, edge=record.edge, about=record.digest, now_ms=moment.now_ms, nonce=moment.nonce(number)
    )
    ack = Ack(head=head, device=report.message.head.sender.device, seq=report.message.seq)
    return desk.then(
        SettleAbout(record.digest),
        Unplan(TaskKind.EXPIRE, record.digest),
        send_of(ack, deliver=True, keep=False),
    )


def acknowledge_again(
    record: DispatchRecord, report: Report, own: Own, peer: Peer, moment: Moment
) -> list[Effect]:
    """Answer a repeated final answer: the recipient did not get the acknowledgement."""
    if record.state not in _FINAL:
        return []
    return list(_acknowledge(Desk(record, None), report, own, peer, moment, 0).effects)


def _apply(desk: Desk, message: Answer, now_ms: int) -> Desk:
    match message:
        case Receipt():
            return _apply_receipt(desk, message, now_ms)
        case Decision():
            return _apply_decision(desk, message, now_ms)
        case Result():
            return _apply_result(desk, message, now_ms)


def _to(record: DispatchRecord, state: DispatchState) -> DispatchRecord | None:
    """Move the record; a queued one has been sent, else nobody could answer it. None if the table forbids it."""
    if record.state is DispatchState.QUEUED:
        record = replace(record, state=advance(DISPATCH, record.state, DispatchState.SENT))
    if state not in DISPATCH[record.state]:
        return None
    return replace(record, state=advance(DISPATCH, record.state, state))


def _moved(desk: Desk, state: DispatchState, now_ms: int, data: dict[str, JSON], **changes: object) -> Desk:
    moved = _to(desk.record, state)
    if moved is None:
        warning: dict[str, JSON] = {
            "warning": f"a signed answer says {state}, but this dispatch is {desk.record.state}"
        }
        return desk.then(Note(desk.record.digest, now_ms, EventType.WARNING, warning))
    note = Note(desk.record.digest, now_ms, EventType.STATUS, {"status": state} | data)
    return desk.then(note, record=replace(moved, **changes))  # type: ignore[arg-type]


def _apply_receipt(desk: Desk, receipt: Receipt, now_ms: int) -> Desk:
    said: dict[str, JSON] = {"code": receipt.code, "detail": receipt.detail}
    match receipt.type:
        case ReceiptType.DELIVERED:
            moved = _moved(desk, DispatchState.DELIVERED, now_ms, {})
            return moved.then(Settle(desk.record.digest))
        case ReceiptType.REFUSED | ReceiptType.UNSUPPORTED | ReceiptType.STALE_CHAIN:
            code = receipt.code or str(receipt.type)
            return _moved(
                desk, DispatchState.REFUSED, now_ms, said, ended_code=code, ended_detail=receipt.detail
            )
        case ReceiptType.EXPIRED:
            if desk.record.state is DispatchState.EXPIRED:
                return desk
            return _moved(desk, DispatchState.EXPIRED, now_ms, said, ended_code="expired")
        case ReceiptType.STARTED | ReceiptType.HEARTBEAT:
            return _run_is(desk, receipt, RunState.RUNNING, now_ms)
        case ReceiptType.WAITING:
            return _run_is(desk, receipt, RunState.WAITING_APPROVAL, now_ms)
        case ReceiptType.CANCELLED:
            return _cancelled(desk, receipt, now_ms)


def _cancelled(desk: Desk, receipt: Receipt, now_ms: int) -> Desk:
    said: dict[str, JSON] = {"code": receipt.code, "detail": receipt.detail}
    ended = {"ended_code": receipt.code, "ended_detail": receipt.detail}
    if desk.record.state not in (DispatchState.ACCEPTED, DispatchState.WAITING_INPUT):
        return _moved(desk, DispatchState.CANCELLED, now_ms, said, **ended)
    run = desk.run
    if run is not None and RunState.CANCELLED in _reachable(run.state):
        stopped = replace(run, state=RunState.CANCELLED, ended_ms=now_ms, code=receipt.code)
        desk = desk.then(Put(stopped), run=stopped)
    return _moved(desk, DispatchState.FINISHED, now_ms, said, **ended)


def _run_is(desk: Desk, receipt: Receipt, state: RunState, now_ms: int) -> Desk:
    """Follow the recipient's run; what it did in between is not told, so only the order of the table holds."""
    run = desk.run
    if run is None or run.run_id != str(receipt.run_id) or state not in _reachable(run.state) | {run.state}:
        return desk
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


def _reachable(state: RunState) -> frozenset[RunState]:
    """Return every state that can follow, at once or later: the author sees only some of the steps."""
    after = {
        RunState.QUEUED: frozenset(RunState) - {RunState.QUEUED},
        RunState.COMPLETED: frozenset[RunState](),
        RunState.FAILED: frozenset[RunState](),
        RunState.CANCELLED: frozenset[RunState](),
    }
    return after.get(state, frozenset(RunState) - {RunState.QUEUED, state})


def _apply_decision(desk: Desk, decision: Decision, now_ms: int) -> Desk:
    shown: dict[str, JSON] = {
        "mode": None if decision.mode is None else str(decision.mode),
        "target": None,
        "async": True,
        "reason": decision.reason,
    }
    if decision.decision is Verdict.DECLINED:
        return _moved(desk, DispatchState.DECLINED, now_ms, {"reason": decision.reason}, decision=shown)
    count = desk.record.accepted_decisions + 1
    if count > 1:  # a second accepted decision is evidence of a conflict and is shown as one
        return desk.then(record=replace(desk.record, accepted_decisions=count))
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
    over = desk.record.state is DispatchState.FINISHED
    moved = _moved(
        desk,
        DispatchState.FINISHED,
        now_ms,
        {"outcome": result.outcome},
        outcome=result.outcome,
        summary=result.summary,
        ended_code=result.code,
    )
    if over or moved.record.state is not DispatchState.FINISHED or desk.run is None:
        return moved  # what ended once is not told anew: a later result stays evidence
    run = replace(
        desk.run,
        state=run_end(result.outcome),
        outcome=result.outcome,
        code=result.code,
        agent=result.agent,
        started_ms=result.started_ms,
        ended_ms=result.ended_ms,
        last_heard_ms=now_ms,
        changeset=tuple(change.write() for change in result.changeset),
        changeset_digest=None if result.changeset_digest is None else result.changeset_digest.hex,
        diffs=tuple(diff.write() for diff in result.diffs),
        artifacts=tuple(
            {
                "name": artifact.name,
                "kind": artifact.kind,
                "mime_type": artifact.mime_type,
                "size_bytes": artifact.size_bytes,
                "sha256": artifact.sha256.hex,
            }
            for artifact in result.artifacts
        ),
    )
    notes = [
        Note(desk.record.digest, event.at_ms, event.type, dict(event.data), run.run_id)
        for event in result.events
    ]
    return moved.then(*notes, Put(run), run=run)


def _kind(message: Answer) -> str:
    return type(message).__name__.lower()
