"""Deciding about dispatches from a session: accept, decline, cancel, and the answers of the human it relays."""

from dispatch_cli.client import segment
from dispatch_cli.clock import fresh_key
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.mcp.session import Answer, approval_ui
from dispatch_cli.mcp.watching import WATCHED_S, next_turn
from dispatch_cli.outcome import has_ended
from dispatch_cli.render.fields import Document, text

_FORM = "Call dispatch_act(action='accept') again now, with the same dispatch_id: it puts this question to the human as a form."


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
    """Return the next question or the end; where a yes does not come through the session, say where it comes from."""
    answer = next_turn(invocation, dispatch_id, watched_s)
    how = approval_ui(invocation)
    if answer["status"] == "approval_needed" and how != "picker":
        answer["ask"] = _FORM if how == "form" else elsewhere(answer["request_id"])
    return answer


def elsewhere(request_id: str) -> str:
    """Say where the human answers a question that this session does not put."""
    return f"The human answers this elsewhere: dispatch approve {request_id}, or dispatch deny {request_id}."


def decide(
    invocation: Invocation,
    dispatch_id: str,
    request_id: str,
    decision: str,
    grant: str | None,
    *,
    stop: bool = False,
) -> Answer:
    """Send a human's answer, then go on watching; one that came too late is told, with what holds instead."""
    body: Document = {"decision": decision, "dispatch_id": dispatch_id, "by": "mcp", "stop": stop}
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


def review(invocation: Invocation, dispatch_id: str) -> Answer:
    """Let a run ask no more, and go on watching: its changes are asked about at the end."""
    invocation.door.post(dispatch_path(dispatch_id, "review"), {"by": "mcp"})
    return watch(invocation, dispatch_id)


def relay(
    invocation: Invocation,
    action: str,
    dispatch_id: str,
    request_id: str | None,
    grant: str | None,
    *,
    stop: bool,
) -> Answer:
    """Relay what the human answered; where a yes comes from the human alone, so does what asks no more."""
    if action != "review" and not request_id:
        raise CliError(
            "usage",
            f"{action} needs the request_id of the pending call.",
            hint="dispatch_read(what='approvals')",
        )
    how = approval_ui(invocation)
    if action != "deny" and how != "picker":
        raise CliError(
            "refused",
            f"On this machine a yes comes from the human alone (approval_ui is {how}).",
            hint=f"dispatch {action} {dispatch_id if action == 'review' else request_id}",
        )
    if action == "review":
        return review(invocation, dispatch_id)
    stops = stop and action == "deny"
    return decide(invocation, dispatch_id, request_id or "", action, grant or "once", stop=stops)


def reply(invocation: Invocation, dispatch_id: str, said: str) -> Answer:
    """Send the human's words to the other side; they start nothing there."""
    if not said.strip():
        raise CliError("usage", "reply needs the text, in the human's words.")
    path = dispatch_path(dispatch_id, "messages")
    written = invocation.door.post(path, {"text": said, "by": "mcp"}, idempotency_key=fresh_key())
    return {name: written[name] for name in ("message_id", "dispatch_id", "thread_id", "state")}


def act(invocation: Invocation, action: str, dispatch_id: str) -> Answer:
    """Decline, cancel, or take up again and go on watching."""
    acted = invocation.door.post(dispatch_path(dispatch_id, action), {})
    return watch(invocation, dispatch_id) if action == "resume" else acted
