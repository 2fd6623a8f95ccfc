"""A question as a form that the host program shows its human: all that a terminal would show, and what its answer may count for."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, create_model

from dispatch_cli.clock import now_ms
from dispatch_cli.invocation import Invocation
from dispatch_cli.mcp import acting
from dispatch_cli.mcp.menus import menu
from dispatch_cli.mcp.session import Answer
from dispatch_cli.mcp.watching import asked, next_question
from dispatch_cli.render.fields import Document, inner, text
from dispatch_cli.render.lines import View, plain
from dispatch_cli.render.people import People
from dispatch_cli.render.question import choices, is_changeset, question_lines
from dispatch_cli.render.text import visible

CHARS: Final = 8_000  # nobody reads more than that in a form; a terminal and the page have room
_READ_AT_LEAST_S = 1.0
_READ_AT_MOST_S = 5.0
_CHARS_A_SECOND = 200.0  # faster than anybody reads, so that nobody who did read is refused
_AGAIN = "It can be asked again (call accept again), or decided with dispatch approve or dispatch deny."

# What a form offers, and what it decides: of a call, of the changes at the end, and of an answer without changes.
_GRANTS = {"once": "once", "always": "always", "session": "session", "review": "review the rest"}
_DENIALS = ("deny", "decline the dispatch")
_YES = frozenset({"once", "always", "session", "review the rest", "apply", "return it"})


class FormAnswer(BaseModel):
    """What a form answers."""

    answer: str


@dataclass(frozen=True, slots=True)
class Form:
    """One question in a form: what it shows, what it offers, and when it was first put."""

    shown: str
    offers: type[FormAnswer]
    put_s: float

    @property
    def fits(self) -> bool:
        """Say whether anybody would read all of it there."""
        return len(self.shown) <= CHARS

    def was_read(self, now_s: float) -> bool:
        """Say whether a person can have read it since."""
        needed_s = max(len(self.shown) / _CHARS_A_SECOND, _READ_AT_LEAST_S)
        return now_s - self.put_s >= min(needed_s, _READ_AT_MOST_S)


@dataclass(slots=True)
class Forms:
    """Which questions were put into a form: an answer that nobody can have read is no consent.

    A question is put in the same words however often the host asks for it: it knows an answer by what was asked.
    """

    put: dict[str, Form] = field(default_factory=dict)

    def form(self, dispatch: Document, question: Document, people: Callable[[], People]) -> Form:
        """Return the form of a question, made when it is first put."""
        request_id = text(question, "request_id")
        if request_id not in self.put:
            shown = form_text(dispatch, question, people())
            self.put[request_id] = Form(shown, form_of(dispatch, question), time.monotonic())
        return self.put[request_id]

    def was_read(self, question: Document) -> bool:
        """Say whether a person can have read a question since it was put."""
        form = self.put.get(text(question, "request_id"))
        return form is not None and form.was_read(time.monotonic())

    def is_too_long(self, request_id: object) -> bool:
        """Say whether a question was to be put, and did not fit."""
        form = self.put.get(str(request_id))
        return form is not None and not form.fits


def form_of(dispatch: Document, question: Document) -> type[FormAnswer]:
    """Return what the form about a question offers: nothing that would be refused."""
    offered: tuple[str, ...]
    if is_changeset(question):
        yes = next(choice.said for choice in choices(question) if choice.key == "y")
        offered, says = (yes.lower(), "discard"), f"{yes}, or discard it all"
    else:
        answered = inner(dispatch, "questions").get("answered")
        found = choices(question, answered if isinstance(answered, int) else 0)
        grants = [choice.grant or choice.decision for choice in found if not choice.is_safe]
        offered = (*(_GRANTS[grant] for grant in grants), *_DENIALS)
        says = "Allow the call, deny it, or decline the whole dispatch"
    answers: Any = Literal[offered]
    return create_model("FormAnswer", __base__=FormAnswer, answer=(answers, Field(description=says)))


def form_text(dispatch: Document, question: Document, people: People) -> str:
    """Return who asks and how they are known, everything a terminal would show, and how long there is to answer."""
    view = View(None, now_ms(), os.path.expanduser("~"))
    what = visible(text(question, "tool") or text(question, "title"))
    who = people.known(text(question, "from"))
    asks = f"{who} asks, here: {what}" if is_changeset(question) else f"{who} asks to run, here: {what}"
    rows = (plain(row) for row in question_lines(question, view, whole=True))
    stands = menu(question, inner(dispatch, "questions"))["standing"]
    return "\n".join([asks, *rows, *([f"({stands})"] if stands else [])])


def chosen(form: Any) -> str | None:
    """Return what a form answered: "" for one that was closed, None where no form was put."""
    if form.action != "accept":
        return "deny" if form.action == "decline" else ""
    return None if form.data is None else str(form.data.answer)


def by_form(
    invocation: Invocation, dispatch: Document, question: Document, choice: str | None, forms: Forms
) -> Answer:
    """Carry out what a form answered; anything but a readable yes decides nothing or denies."""
    dispatch_id, request_id = text(question, "dispatch_id"), text(question, "request_id")
    if choice is None:
        return {**asked(dispatch, question), "ask": f"The form was closed without an answer. {_AGAIN}"}
    if choice in _YES and not forms.was_read(question):
        said = "The form was answered faster than anybody can read, so it does not count."
        return {**asked(dispatch, question), "ask": f"{said} {_AGAIN}"}
    if choice == "review the rest":
        return acting.review(invocation, dispatch_id)
    if choice in _YES:
        grant = "once" if is_changeset(question) else choice
        return acting.decide(invocation, dispatch_id, request_id, "approve", grant)
    stop = choice == "decline the dispatch"
    return acting.decide(invocation, dispatch_id, request_id, "deny", None, stop=stop)


def accept(
    invocation: Invocation, forms: Forms, dispatch_id: str, cwd: str | None, choice: str | None
) -> Answer:
    """Accept, or go on with what was accepted; `choice` is what a form said, None where none was put."""
    if choice is not None:
        dispatch, question = next_question(invocation, dispatch_id)
        if question is not None:
            return by_form(invocation, dispatch, question, choice or None, forms)
    acting.accept(invocation, dispatch_id, cwd)
    answer = acting.watch(invocation, dispatch_id)
    if forms.is_too_long(answer.get("request_id")):
        answer["ask"] = f"It is too long for a form. {acting.elsewhere(answer['request_id'])}"
    return answer
