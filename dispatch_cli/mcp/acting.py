"""Deciding about dispatches from a session: accept, decline, cancel, and the answers of the human it relays."""

import time
from dataclasses import dataclass, field

from dispatch_cli.client import segment
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.mcp.session import Answer, approval_ui
from dispatch_cli.mcp.watching import WATCHED_S, asked, ended, next_question, next_turn
from dispatch_cli.outcome import has_ended
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


def accept(invocation: Invocation, dispatch_id: str, cwd: str | None) -> None:
    """Accept a dispatch, or go on with one that runs here already."""
    try:
        body = {} if cwd is None else {"cwd": cwd}
        invocation.door.post(dispatch_path(dispatch_id, "accept"), body)
    except CliError as error:
        if error.code != "not_pending" or not _runs_here(invocation, dispatch_id):
            raise


def _runs_here(invocation: Invocation, dispatch_id: str) -> bool:
    dispatch = invocation.door.dispatch(dispatch_id)
    return bool(dispatch.get("runs")) or (not has_ended(dispatch) and text(dispatch, "status") != "delivered")


def watch(invocation: Invocation, dispatch_id: str, watched_s: float = WATCHED_S) -> Answer:
    """Return the next question or the end; in `local` mode the human answers elsewhere, and this only says where."""
    answer = next_turn(invocation, dispatch_id, watched_s)
    if answer["status"] == "approval_needed" and approval_ui(invocation) != "picker":
        request_id = answer["request_id"]
        answer["ask"] = (
            f"The human answers this elsewhere: dispatch approve {request_id}, or dispatch deny {request_id}."
        )
    return answer


def decide(
    invocation: Invocation, dispatch_id: str, request_id: str, decision: str, grant: str | None
) -> Answer:
    """Send a human's answer, then go on watching; one that came too late is told, with what holds instead."""
    body: Document = {"decision": decision, "dispatch_id": dispatch_id, "by": "mcp"}
    if decision == "approve" and grant is not None:
        body["grant"] = grant
    late = None
    try:
        invocation.door.post(f"/v1/approvals/{segment(request_id)}", body)
    except CliError as error:
        if error.code != "not_pending":
            raise
        late = error.message
    answer = watch(invocation, dispatch_id)
    return answer if late is None else {**answer, "late": f"This answer changed nothing: {late}."}


def open_question(invocation: Invocation, dispatch_id: str) -> Document | None:
    """Return the question to put into a form, if one comes while we wait."""
    return next_question(invocation, dispatch_id)[1]


def by_form(invocation: Invocation, question: Document, choice: str | None, forms: Forms) -> Answer:
    """Carry out what a form answered; anything but a readable yes decides nothing or denies."""
    dispatch_id, request_id = text(question, "dispatch_id"), text(question, "request_id")
    if choice is None:
        return {
            **asked(question),
            "ask": "The form was closed without an answer. dispatch approve or dispatch deny decides.",
        }
    if choice == "decline":
        invocation.door.post(
            f"/v1/approvals/{segment(request_id)}",
            {"decision": "deny", "dispatch_id": dispatch_id, "by": "mcp"},
        )
        return ended(invocation.door.dispatch(dispatch_id))
    if choice in GRANTS and not forms.was_read(question):
        return {
            **asked(question),
            "ask": "The form was answered faster than anybody can read, so it does not count. Ask again, or use dispatch approve.",
        }
    decision, grant = ("approve", choice) if choice in GRANTS else ("deny", None)
    return decide(invocation, dispatch_id, request_id, decision, grant)
