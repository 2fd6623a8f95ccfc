"""`inbox -i`: everything that waits for its human, one after the other: tasks, questions of runs, runs that were parked.

Enter skips, because it is the key that is pressed without thinking, and what is skipped still waits.
"""

import select
from collections.abc import Sequence

from dispatch_cli.commands.accept import run_here, stay
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.keys import ENTER, LEAVE, Keys
from dispatch_cli.moving import Moving
from dispatch_cli.render.accepting import asks_lines
from dispatch_cli.render.failure import error_lines
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import Line, Span, Tone, line, width_of
from dispatch_cli.render.text import count

# By status, the prompt and its short form. No letter here allows something in a question of a run: a key pressed once too
# often must not answer that.
_PROMPTS = {
    "delivered": (
        line("  Begin it here [b] · decline [d] · leave [q] · Next [N]"),
        line("  b begin  d decline  q leave  N next"),
    ),
    "waiting_approval": (
        line("  Answer its questions here [b] · leave [q] · Next [N]"),
        line("  b answer  q leave  N next"),
    ),
    "waiting_input": (
        line("  Take it up again [b] · throw it away [d] · leave [q] · Next [N]"),
        line("  b take up  d throw away  q leave  N next"),
    ),
}
_KEYS = {"b": "begin", "d": "end", "n": "skip", "q": "leave", ENTER: "skip", LEAVE: "leave"}
_FAILED = {
    ("delivered", "begin"): "Not accepted",
    ("delivered", "end"): "Not declined",
    ("waiting_approval", "begin"): "Not answered",
    ("waiting_input", "begin"): "Not taken up",
    ("waiting_input", "end"): "Not thrown away",
}
_STATES = {
    "waiting_approval": "It runs, and asks you.",
    "waiting_input": "It was parked, because nobody answered twice. Nothing of it was applied.",
}


def decide_waiting(invocation: Invocation, inbox: Sequence[Document]) -> None:
    """Ask about each dispatch of `inbox` that waits, the oldest first, until the person leaves."""
    waiting = [row for row in reversed(inbox) if text(row, "status") in _PROMPTS]
    if not waiting:
        invocation.out.show([line("Nothing waits for your answer.")])
        return
    people = invocation.people()
    for number, row in enumerate(waiting, start=1):
        dispatch = invocation.door.dispatch(text(row, "dispatch_id"))
        status = text(dispatch, "status")
        if status not in _PROMPTS:
            continue  # decided elsewhere meanwhile
        place = f" · {number} of {len(waiting)}" if len(waiting) > 1 else ""
        head, *rest = asks_lines(dispatch, people, invocation.view)
        stands = [line(), line(Span(_STATES[status], Tone.WAITING))] if status in _STATES else []
        invocation.out.show([(*head, Span(place, Tone.QUIET)), *rest, *stands])
        answer = _key(invocation, status)
        if answer == "leave":
            break
        invocation.out.show(_carry_out(invocation, dispatch, answer))
    now = [invocation.door.dispatch(text(row, "dispatch_id")) for row in waiting]
    invocation.out.show([_left(sum(text(row, "status") in _PROMPTS for row in now))])


def _left(number: int) -> Line:
    if number == 0:
        return line("Nothing waits for you any more.")
    verb = "waits" if number == 1 else "wait"
    return line(f"{count(number, 'dispatch', 'dispatches')} still {verb} for you.")


def _key(invocation: Invocation, status: str) -> str:
    """Wait for one of the keys of this status."""
    width = invocation.err.width
    whole, short = _PROMPTS[status]
    prompt = whole if width is None or width > width_of(whole) else short
    with Moving(invocation.err) as moving, Keys() as keys:
        keys.forget()
        if invocation.err.can_move:
            moving.set(prompt)
        else:
            invocation.err.show([prompt])
        while True:
            select.select([keys], [], [])
            answer = _KEYS.get(keys.read())
            if answer is not None and (answer, status) != ("end", "waiting_approval"):
                return answer


def _carry_out(invocation: Invocation, dispatch: Document, answer: str) -> list[Line]:
    """Do what was answered; a refusal of the daemon is told, and the next one is asked about all the same."""
    dispatch_id, status = text(dispatch, "dispatch_id"), text(dispatch, "status")
    if answer == "skip":
        return [line(Span("  · skipped; it still waits", Tone.QUIET)), line()]
    try:
        if answer == "end":
            return [_end(invocation, dispatch_id, status), line()]
        if status == "delivered":
            run_here(invocation, dispatch_id, None, stays=True)
            return [line()]
        if status == "waiting_input":
            invocation.door.post(dispatch_path(dispatch_id, "resume"), {})
        stay(invocation, dispatch_id)
    except CliError as error:
        invocation.err.show(error_lines(error, _FAILED[status, answer], invocation.err_view))
    return [line()]


def _end(invocation: Invocation, dispatch_id: str, status: str) -> Line:
    """Say no to a task, or throw a parked run away."""
    if status == "delivered":
        invocation.door.post(dispatch_path(dispatch_id, "decline"), {})
        return line(Span("  ✗ declined; the author is told", Tone.FAILED))
    invocation.door.post(dispatch_path(dispatch_id, "discard"), {"by": "cli"})
    return line(Span("  ✗ thrown away; nothing was applied, and the author is told", Tone.FAILED))
