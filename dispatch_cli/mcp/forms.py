"""A question as a form that the host program shows its human: what it asks, and what its answer may count for."""

import json
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field

from dispatch_cli.invocation import Invocation
from dispatch_cli.mcp import acting
from dispatch_cli.mcp.session import Answer
from dispatch_cli.mcp.watching import asked, next_question
from dispatch_cli.render.fields import Document, text

GRANTS = ("once", "always", "session")
_READ_AT_LEAST_S = 1.0
_READ_AT_MOST_S = 5.0
_CHARS_A_SECOND = 200.0  # faster than anybody reads, so that nobody who did read is refused


@dataclass(slots=True)
class Forms:
    """Which questions were put into a form, and when: an answer that nobody can have read is no consent."""

    put_s: dict[str, float] = field(default_factory=dict)

    def put(self, question: Document) -> None:
        """Remember when a question was first shown."""
        self.put_s.setdefault(text(question, "request_id"), time.monotonic())

    def was_read(self, question: Document) -> bool:
        """Say whether a person can have read it since."""
        since_s = time.monotonic() - self.put_s.get(text(question, "request_id"), time.monotonic())
        needed_s = len(str(question.get("input"))) / _CHARS_A_SECOND
        return since_s >= min(max(needed_s, _READ_AT_LEAST_S), _READ_AT_MOST_S)


class FormAnswer(BaseModel):
    """What a form answers."""

    answer: str


class CallAnswer(FormAnswer):
    """What the form about a call asks."""

    answer: Literal["once", "always", "session", "deny", "decline the dispatch"] = Field(
        description="Allow once, always, for this session, deny the call, or decline the dispatch"
    )


class ClosingAnswer(FormAnswer):
    """What the form about the changes at the end asks: there is one yes, and it covers exactly these."""

    answer: Literal["apply", "discard"] = Field(description="Apply these changes, or discard them")


_WORDS = {"decline the dispatch": "decline", "apply": "once", "discard": "deny"}


def chosen(form: Any) -> str | None:
    """Return what a form answered: "" for one that was closed, None where no form was put."""
    if form.action != "accept":
        return "deny" if form.action == "decline" else ""
    if form.data is None:
        return None
    answer = str(form.data.answer)
    return _WORDS.get(answer, answer)


def form_text(question: Document) -> str:
    """Return who asks, and the whole call, as the form shows it."""
    call = json.dumps(question.get("input"), ensure_ascii=False, indent=2)
    flags = "".join(f"\n! {flag}" for flag in question.get("flags") or [])
    return f"{text(question, 'from')} asks to run, here: {text(question, 'tool') or text(question, 'title')}\n{call}{flags}"


def by_form(
    invocation: Invocation, dispatch: Document, question: Document, choice: str | None, forms: Forms
) -> Answer:
    """Carry out what a form answered; anything but a readable yes decides nothing or denies."""
    dispatch_id, request_id = text(question, "dispatch_id"), text(question, "request_id")
    if choice is None:
        return {
            **asked(dispatch, question),
            "ask": "The form was closed without an answer. dispatch approve or dispatch deny decides.",
        }
    if choice == "decline":
        return acting.decide(invocation, dispatch_id, request_id, "deny", None, stop=True)
    if choice in GRANTS and not forms.was_read(question):
        return {
            **asked(dispatch, question),
            "ask": "The form was answered faster than anybody can read, so it does not count. Ask again, or use dispatch approve.",
        }
    decision, grant = ("approve", choice) if choice in GRANTS else ("deny", None)
    return acting.decide(invocation, dispatch_id, request_id, decision, grant)


def accept(
    invocation: Invocation, forms: Forms, dispatch_id: str, cwd: str | None, choice: str | None
) -> Answer:
    """Accept, or go on with what was accepted; `choice` is what a form said, None where none was put."""
    if choice is not None:
        dispatch, question = next_question(invocation, dispatch_id)
        if question is not None:
            return by_form(invocation, dispatch, question, choice or None, forms)
    acting.accept(invocation, dispatch_id, cwd)
    return acting.watch(invocation, dispatch_id)
