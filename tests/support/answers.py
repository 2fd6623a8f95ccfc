"""Answers of Bob's to a dispatch of Alice's, as they reach her daemon, each with its place in the chain."""

from typing import Any
from uuid import UUID

from dispatch_daemon.core import reports
from dispatch_daemon.core.effects import Effect, Note
from dispatch_daemon.core.records import DispatchRecord, RunRecord
from dispatch_daemon.core.reports import Evidence, Report
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome, RunState
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.scopes import Returns
from tests.support.desk import ALICE_OWN, BOB_PEER, at, puts, report, sent
from tests.support.documents import ALICE, BOB, NOW_MS, head

RUN_ID = UUID("00000000-0000-4000-8000-000000000009")
OTHER_RUN = UUID("00000000-0000-4000-8000-00000000000f")
RECORD = sent()
HEAD = head(BOB, ALICE, re=Digest.from_hex(RECORD.digest), created_ms=NOW_MS + 5)
R = ReceiptType


def place(seq: int, after: Report | None = None) -> dict[str, Any]:
    """Return the place of an answer: its head, its number and what it follows."""
    return {"head": HEAD, "seq": seq, "prev": Digest.ZERO if after is None else after.signed.digest}


def receipt(kind: ReceiptType, seq: int = 1, after: Report | None = None, **more: Any) -> Report:
    """Return a receipt with what its type must carry."""
    if kind in (R.REFUSED, R.CANCELLED):
        more = {"code": "edge_revoked", "detail": "gone"} | more
    if kind in (R.STARTED, R.HEARTBEAT, R.WAITING):
        said = {"agent": "steps"} if kind is R.STARTED else {"state": "running"}
        more = {"run_id": RUN_ID, "data": said} | more
    if kind is R.UNSUPPORTED:
        more = {"data": {"payload_type": "x"}} | more
    if kind is R.STALE_CHAIN:
        more = {"data": {"links": [link.to_json() for link in BOB.chain.links]}} | more
    return report(Receipt(**place(seq, after), type=kind, **more))


def accepted(seq: int = 1, after: Report | None = None, run_id: UUID = RUN_ID) -> Report:
    """Return the human's yes."""
    return report(Decision(**place(seq, after), decision=Verdict.ACCEPTED, mode=Mode.MANUAL, run_id=run_id))


def declined(seq: int = 1, after: Report | None = None) -> Report:
    """Return the human's no."""
    return report(Decision(**place(seq, after), decision=Verdict.DECLINED, reason="no"))


def ended(seq: int = 1, after: Report | None = None, **more: Any) -> Report:
    """Return the result of the run."""
    fields: dict[str, Any] = {
        "run_id": RUN_ID,
        "outcome": Outcome.SUCCESS,
        "summary": "done",
        "returns": Returns.TRACE,
        "agent": "steps",
        "started_ms": NOW_MS + 10,
        "ended_ms": NOW_MS + 20,
    }
    return report(Result(**place(seq, after), **(fields | more)))


def known_run(state: RunState = RunState.QUEUED) -> RunRecord:
    """Return the run as the author knows it."""
    return RunRecord(run_id=str(RUN_ID), digest=RECORD.digest, state=state, created_ms=NOW_MS)


def receive(
    answer: Report,
    record: DispatchRecord = RECORD,
    its_run: RunRecord | None = None,
    *,
    taken: tuple[Report, ...] = (),
    held: tuple[Report, ...] = (),
) -> list[Effect]:
    """Take an answer in at Alice\'s, with what her journal holds already."""
    evidence = Evidence(tuple(each.signed.digest for each in taken), held)
    return reports.receive(record, its_run, evidence, answer, ALICE_OWN, BOB_PEER, at(NOW_MS + 100))


def record_after(effects: list[Effect]) -> DispatchRecord:
    """Return the dispatch as the effects leave it."""
    (record,) = puts(effects, DispatchRecord)
    return record


def warnings(effects: list[Effect]) -> int:
    """Count the warnings among the effects."""
    return sum(isinstance(effect, Note) and effect.type is EventType.WARNING for effect in effects)
