"""What the author's daemon makes of the recipient's signed answers; nothing else moves a sent dispatch.

Answers of one device form a chain by `seq` and `prev`. One that comes too early is kept and waits for its
predecessor; one that contradicts the chain is kept as evidence and moves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from dispatch_daemon.core.composing import Moment, Own, Peer, answer_type, head_of, send_of
from dispatch_daemon.core.decisions import ENDED, may_expire
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, Settle, SettleAbout, TaskKind, Unplan
from dispatch_daemon.core.records import AnswerRecord, DispatchRecord, RunRecord
from dispatch_daemon.core.traces import artifact_data, change_data
from dispatch_protocol import payloads
from dispatch_protocol.answer_chain import AnswerChain, Place, follow
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DISPATCH, RUN, DispatchState, RunState, advance, run_end
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import Answer, Decision, Receipt, ReceiptType, Result, Verdict
from dispatch_protocol.messages.follow_on import Ack, Cancel
from dispatch_protocol.messages.head import Head
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.signing import Signed


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
        """Return the evidence row of this answer; `held` while it waits for its predecessor."""
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

    def contradiction(self, now_ms: int) -> tuple[Effect, ...]:
        """Keep this answer as evidence outside the chain, where its next arrival is a repeat and no news."""
        data: dict[str, JSON] = {
            "warning": "an answer contradicts the chain of answers",
            "digest": self.digest,
        }
        return (
            Put(replace(self.record(now_ms=now_ms, held=True), seq=0)),
            Note(self.message.head.re.hex, now_ms, EventType.WARNING, data),
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
    if report.place in followed.chain.held:
        desk = desk.then(Put(report.record(now_ms=moment.now_ms, held=True)))
    for place in followed.forked:
        desk = desk.then(*known[place.digest].contradiction(moment.now_ms))
    for place in followed.taken:
        each = known[place.digest]
        desk = desk.then(Put(each.record(now_ms=moment.now_ms, held=False)), record=_heard(desk.record, each))
        desk = _apply(desk, each.message, moment.now_ms)
    if followed.taken:
        head = _head(desk.record, own, peer, moment)
        taken = [known[place.digest].message for place in followed.taken]
        desk = desk.then(*_follow_on(record, desk.record, taken, head, moment.now_ms))
    return [Put(desk.record), *desk.effects]


def _heard(record: DispatchRecord, report: Report) -> DispatchRecord:
    """Return the record with one answer more in its chain.

    Whoever answers has the task, so it had left: an end that only this machine believed in is taken back, and a
    cancel of what seemed never to have left becomes a request.
    """
    if record.state is DispatchState.QUEUED:
        record = replace(record, state=advance(DISPATCH, record.state, DispatchState.SENT))
    elif not record.answer_seq and record.state in (DispatchState.REFUSED, DispatchState.CANCELLED):
        asked = record.cancel_requested or record.state is DispatchState.CANCELLED
        record = replace(
            record, state=DispatchState.SENT, ended_code=None, ended_detail=None, cancel_requested=asked
        )
    return replace(record, answer_seq=report.message.seq, answer_head=report.digest)


def _follow_on(
    before: DispatchRecord, record: DispatchRecord, taken: Sequence[Answer], head: Head, now_ms: int
) -> list[Effect]:
    """Return what is said or owed once these answers were taken in."""
    if record.state in ENDED:
        return _acknowledgement(record, taken[-1], taken[-1].seq, head)
    effects: list[Effect] = []
    delivered = any(isinstance(each, Receipt) and each.type is ReceiptType.DELIVERED for each in taken)
    if record.cancel_requested and delivered:
        # What was asked before may have overtaken the task, and then nobody knew what it was about.
        effects.append(send_of(Cancel(head=head), deliver=True, keep=True))
    if before.state in ENDED and may_expire(record):
        # It was over, or thought to be, and lives: the silence that may follow has a deadline too.
        latest_ms = max(record.expires_ms + 1, now_ms) + EXPIRY_GRACE_MS
        effects.append(Plan(kind=TaskKind.EXPIRE, key=record.digest, not_before_ms=latest_ms, payload={}))
    return effects


def _acknowledgement(record: DispatchRecord, answer: Answer, seq: int, head: Head) -> list[Effect]:
    ack = Ack(head=head, device=answer.head.sender.device, seq=seq)
    return [
        SettleAbout(record.digest),
        Unplan(TaskKind.EXPIRE, record.digest),
        send_of(ack, deliver=True, keep=False),
    ]


def _head(record: DispatchRecord, own: Own, peer: Peer, moment: Moment) -> Head:
    """Return the head of what the author says next about its dispatch."""
    return head_of(
        own, peer, edge=record.edge, about=record.digest, now_ms=moment.now_ms, nonce=moment.nonce()
    )


def acknowledge_again(
    record: DispatchRecord, report: Report, taken: int, own: Own, peer: Peer, moment: Moment
) -> list[Effect]:
    """Answer a repeated answer of what is over: the recipient did not get the acknowledgement.

    `taken` counts the answers of that device that are held in order: all of them are acknowledged.
    """
    if record.state not in ENDED or not taken:
        return []
    return _acknowledgement(record, report.message, taken, _head(record, own, peer, moment))


def _apply(desk: Desk, message: Answer, now_ms: int) -> Desk:
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
        case ReceiptType.CANCELLED:
            return _cancelled(desk, receipt, now_ms)
        case _:  # waiting, the last of the types
            return _run_is(desk, receipt, RunState.WAITING_APPROVAL, now_ms)


def _cancelled(desk: Desk, receipt: Receipt, now_ms: int) -> Desk:
    said: dict[str, JSON] = {"code": receipt.code, "detail": receipt.detail}
    ended = {"ended_code": receipt.code, "ended_detail": receipt.detail}
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
        started_ms=result.started_ms,
        ended_ms=result.ended_ms,
        last_heard_ms=now_ms,
        confinement=None if result.confinement is None else result.confinement.write(),
        changeset=tuple(change_data(change) for change in result.changeset),
        changeset_digest=None if result.changeset_digest is None else result.changeset_digest.hex,
        diffs=tuple(diff.write() for diff in result.diffs),
        artifacts=tuple(artifact_data(artifact) for artifact in result.artifacts),
    )
    notes = [
        Note(desk.record.digest, event.at_ms, event.type, dict(event.data), run.run_id)
        for event in result.events
    ]
    return moved.then(*notes, Put(over), run=over)


def _kind(message: Answer) -> str:
    return type(message).__name__.lower()
