"""Status, outcome and the rest of the closed vocabularies, in the words and tones of a reader."""

from dispatch_cli.render.fields import Document, inner, text
from dispatch_cli.render.lines import Span, Tone
from dispatch_cli.render.text import visible
from dispatch_protocol import loopback

_TONES = {
    "waiting": Tone.QUIET,
    "held": Tone.WAITING,
    "queued": Tone.QUIET,
    "sent": Tone.QUIET,
    "delivered": Tone.WAITING,
    "accepted": Tone.RUNNING,
    "running": Tone.RUNNING,
    "waiting_approval": Tone.WAITING,
    "waiting_input": Tone.WAITING,
    "completed": Tone.DONE,
    "failed": Tone.FAILED,
    "refused": Tone.FAILED,
    "declined": Tone.FAILED,
    "expired": Tone.QUIET,
    "cancelled": Tone.QUIET,
    "conflict": Tone.DANGER,
}
_MINE = {
    "delivered": "waits for you",
    "waiting_approval": "asks you",
    "waiting_input": "needs you",
    "sent": "waits for you",
}
_THEIRS = {
    "queued": "queued",
    "sent": "sent",
    "delivered": "waits for them",
    "waiting_approval": "asks there",
    "waiting_input": "needs input there",
    "waiting": "waits for another",
}


def is_for_me(dispatch: Document) -> bool:
    """Say whether this machine's human decides about the dispatch."""
    return text(dispatch, "box") == "inbox" or is_own(dispatch)


def is_own(dispatch: Document) -> bool:
    """Say whether it is a task of this person's own.

    The box says so where there is one. Two equal addresses do not: somebody else may have claimed to have this one.
    """
    box = text(dispatch, "box")
    return box == "own" if box else text(dispatch, "to") in {"me", text(dispatch, "from")}


def status_span(dispatch: Document, *, mine: bool) -> Span:
    """Return the status in words, with the outcome where it adds something."""
    status = text(dispatch, "status")
    outcome = text(dispatch, "outcome")
    said = (_MINE if mine else _THEIRS).get(status) or visible(status.replace("_", " ")) or "unknown"
    owner = inner(dispatch, "owner")
    if mine and status == "delivered" and owner.get("this") is False:
        said += f" on {visible(text(owner, 'name'))}"
    place = text(inner(dispatch, "elsewhere"), "name")
    if place:
        said = f"{visible(status.replace('_', ' '))} on {visible(place)}"
    if status in {"failed", "completed"} and outcome not in {"", "failed", "success"}:
        said += f" ({visible(outcome.replace('_', ' '))})"
    if dispatch.get("cancel_requested") is True and status not in {"cancelled", "completed", "failed"}:
        said += " · cancel requested"
    return Span(said, _TONES.get(status, Tone.PLAIN))


def short_id(dispatch: Document) -> str:
    """Return the eight characters that people type."""
    return visible(text(dispatch, "short_id") or loopback.short_id(text(dispatch, "dispatch_id")))


def typed_id(dispatch_id: str) -> str:
    """Return the shortest prefix worth suggesting in a command: the eight characters of every table."""
    return visible(loopback.short_id(dispatch_id))


def reason(dispatch: Document) -> str:
    """Return what was said about the end of a dispatch: a human's reason, the result, or what went wrong."""
    said = text(inner(dispatch, "decision"), "reason") or text(inner(dispatch, "result"), "summary")
    return said or text(inner(dispatch, "error"), "detail")


def why(dispatch: Document, said: str) -> str:
    """Return what went wrong in this machine's words, where what was said does not say it already."""
    detail = text(inner(dispatch, "error"), "detail")
    return "" if detail in said else visible(detail)


def next_step(dispatch: Document) -> str:
    """Return the command that goes on from a failure, or nothing."""
    return visible(text(inner(dispatch, "error"), "hint")) if text(dispatch, "status") == "failed" else ""


def presumption(dispatch: Document) -> str:
    """Return what an end that nobody has signed is worth, or nothing if the recipient signed it."""
    if dispatch.get("presumed") is not True:
        return ""
    return "Nothing that they signed says so: it may have reached them all the same, and their answer corrects this."


def approval_words(approval: str, agent: str = "") -> str:
    """Return what an approval mode means for the one who grants it, where it is known under which agent.

    A program that speaks ACP decides itself which of its calls it asks for; the wall holds for all of them.
    """
    return {
        "manual": "you approve each call that its agent asks for"
        if agent == "acp"
        else "you approve each call",
        "review": "you approve the changes at the end",
        "auto": "nothing asks",
    }.get(approval, visible(approval))
