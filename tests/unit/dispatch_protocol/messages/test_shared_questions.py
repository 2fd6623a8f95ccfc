"""A question and a verdict are read as they were written, and only if they can be."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.messages.shared_questions import (
    SHOWN_BYTES,
    QuestionEntry,
    QuestionState,
    VerdictEntry,
)
from tests.support.household import QUESTION, VERDICT


def read(entry: QuestionEntry | VerdictEntry, **changed: Any) -> QuestionEntry | VerdictEntry:
    written = {name: value for name, value in entry.write().items() if name != "kind"}
    fields = Fields(written | changed, "entry")
    got = type(entry).read(fields)
    fields.done()
    return got


@pytest.mark.parametrize(
    "entry",
    [
        QUESTION,
        replace(QUESTION, payload=None, tool=None, by=None, asked=replace(QUESTION.asked, grant=None)),
        replace(QUESTION, payload=None, state=QuestionState.APPROVED, by=QUESTION.asked.device),
        VERDICT,
        replace(VERDICT, reason=None, approved=False),
    ],
)
def test_it_is_read_as_it_was_written(entry: QuestionEntry | VerdictEntry) -> None:
    assert read(entry) == entry
    assert entry.write()["kind"] in ("question", "verdict")


@pytest.mark.parametrize(
    "changed",
    [{"state": "denied"}, {"state": "forgotten"}, {"payload": []}, {"payload": {"x": "y" * SHOWN_BYTES}}],
)
def test_what_cannot_be_is_malformed(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        read(QUESTION, **changed)
