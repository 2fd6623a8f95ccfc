"""What the author's daemon makes of the recipient's signed answers; nothing else moves a sent dispatch.

Answers of one device form a chain by `seq` and `prev`. One that comes too early is kept and waits for its
predecessor; one that contradicts the chain is kept as evidence and moves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dispatch_daemon.core.composing import Moment, Own, Peer, answer_type, head_of, send_of
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, SettleAbout, TaskKind, Unplan
from dispatch_daemon.core.expiry import may_expire
from dispatch_daemon.core.following import Desk, take_in
from dispatch_daemon.core.records import ENDED, AnswerRecord, DispatchRecord, RunRecord
from dispatch_protocol import payloads
from dispatch_protocol.answer_chain import AnswerChain, Place, follow
from dispatch_protocol.encoding import JSON
from dispatch_protocol.head import Head
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DISPATCH, TAKEN_BACK, DispatchState, advance
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import Answer, Decision, Receipt, ReceiptType
from dispatch_protocol.messages.follow_on import Ack, Cancel
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.result import Result
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
        desk = take_in(desk, each.message, moment.now_ms)
    if followed.taken:
        if _is_taken_back(record):
            desk = desk.then(_surprise(record, moment.now_ms))
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
    elif _is_taken_back(record):
        asked = record.cancel_requested or record.state is DispatchState.CANCELLED
        record = replace(
            record,
            state=TAKEN_BACK[record.state],
            ended_code=None,
            ended_detail=None,
            cancel_requested=asked,
        )
    return replace(record, answer_seq=report.message.seq, answer_head=report.digest)


def _is_taken_back(record: DispatchRecord) -> bool:
    """Say whether any answer to this dispatch proves an end wrong that nobody has signed."""
    return not record.answer_seq and record.state in TAKEN_BACK


def _surprise(record: DispatchRecord, now_ms: int) -> Note:
    """Tell the author that what was taken for over had arrived: somebody in between said otherwise, or was late."""
    data: dict[str, JSON] = {"warning": f"taken for {record.state} here, and delivered all the same"}
    return Note(record.digest, now_ms, EventType.WARNING, data)


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


def _kind(message: Answer) -> str:
    return type(message).__name__.lower()
