"""What runs on one's other devices ask, as the door of this one shows it: what may be answered here, and what became of it."""

from collections.abc import Iterable

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.sharing import shared
from dispatch_daemon.core import verdicts, views
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON


def where(journal: Journal, own: Own, question: QuestionRecord) -> str:
    """Return what the device is called on which a question is asked."""
    return shared(journal, own, question.digest).called(question.device)


def open_questions(
    journal: Journal, own: Own, found: Iterable[QuestionRecord], now_ms: int
) -> list[JsonObject]:
    """Return those of these questions that a human may answer here."""
    return [_view(journal, own, each) for each in found if verdicts.is_open(each, own, now_ms)]


def _view(journal: Journal, own: Own, question: QuestionRecord) -> JsonObject:
    record = journal.dispatch(question.digest)
    sender = record.address if record is not None else own.address or views.ME
    return verdicts.view(question, where(journal, own, question), sender=sender, own=own)


def with_questions(
    journal: Journal, own: Own, record: DispatchRecord, whole: JsonObject, now_ms: int
) -> JsonObject:
    """Return a dispatch whole, with what its run asks on another device, and what became of the answers given here."""
    found = journal.questions_of(record.digest)
    here = whole["approvals"]
    assert isinstance(here, list)  # noqa: S101 - it is a view of ours
    answered: list[JSON] = [
        {
            "request_id": each.request_id,
            "title": each.title,
            "on": where(journal, own, each),
            "said": each.said,
            "state": verdicts.standing(each, own),
        }
        for each in found
        if each.said is not None
    ]
    return {**whole, "approvals": [*here, *open_questions(journal, own, found, now_ms)], "verdicts": answered}
