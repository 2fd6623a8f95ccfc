"""`inbox -i`: everything that waits for a yes or a no, one after the other, each shown whole first.

Enter skips, because it is the key that is pressed without thinking, and what is skipped still waits.
"""

import select
from collections.abc import Sequence

from dispatch_cli.commands.accept import run_here
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.keys import ENTER, LEAVE, Keys
from dispatch_cli.moving import Moving
from dispatch_cli.render.accepting import asks_lines
from dispatch_cli.render.failure import error_lines
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import Line, Span, Tone, line
from dispatch_cli.render.text import count

_WAITING = frozenset({"delivered"})
_PROMPT = line("  Begin it here [b] · decline [d] · leave [q] · Next [N]")
_SHORT = line("  b begin  d decline  q leave  N next")
# No letter here allows something in a question of a run: a key pressed once too often must not answer that.
_KEYS = {"b": "accept", "d": "decline", "n": "skip", "q": "leave", ENTER: "skip", LEAVE: "leave"}


def decide_waiting(invocation: Invocation, inbox: Sequence[Document]) -> None:
    """Ask about each undecided dispatch of `inbox`, the oldest first, until the person leaves."""
    waiting = [row for row in reversed(inbox) if text(row, "status") in _WAITING]
    if not waiting:
        invocation.out.show([line("Nothing waits for your answer.")])
        return
    people = invocation.people()
    for number, row in enumerate(waiting, start=1):
        dispatch = invocation.door.dispatch(text(row, "dispatch_id"))
        if text(dispatch, "status") not in _WAITING:
            continue  # decided elsewhere meanwhile
        place = f" · {number} of {len(waiting)}" if len(waiting) > 1 else ""
        head, *rest = asks_lines(dispatch, people, invocation.view)
        invocation.out.show([(*head, Span(place, Tone.QUIET)), *rest])
        answer = _key(invocation)
        if answer == "leave":
            break
        invocation.out.show(_carry_out(invocation, dispatch, answer))
    now = [invocation.door.dispatch(text(row, "dispatch_id")) for row in waiting]
    invocation.out.show([_left(sum(text(row, "status") in _WAITING for row in now))])


def _left(number: int) -> Line:
    if number == 0:
        return line("Nothing waits for you any more.")
    verb = "waits" if number == 1 else "wait"
    return line(f"{count(number, 'dispatch', 'dispatches')} still {verb} for you.")


def _key(invocation: Invocation) -> str:
    """Wait for one of the keys."""
    width = invocation.err.width
    prompt = _PROMPT if width is None or width > 60 else _SHORT
    with Moving(invocation.err) as moving, Keys() as keys:
        keys.forget()
        if invocation.err.can_move:
            moving.set(prompt)
        else:
            invocation.err.show([prompt])
        while True:
            select.select([keys], [], [])
            answer = _KEYS.get(keys.read())
            if answer is not None:
                return answer


def _carry_out(invocation: Invocation, dispatch: Document, answer: str) -> list[Line]:
    """Do what was answered; a refusal of the daemon is told, and the next one is asked about all the same."""
    dispatch_id = text(dispatch, "dispatch_id")
    if answer == "skip":
        return [line(Span("  · skipped; it still waits", Tone.QUIET)), line()]
    try:
        if answer == "decline":
            invocation.door.post(dispatch_path(dispatch_id, "decline"), {})
            return [line(Span("  ✗ declined; the author is told", Tone.FAILED)), line()]
        run_here(invocation, dispatch_id, None, stays=True)
    except CliError as error:
        invocation.err.show(
            error_lines(error, "Not accepted" if answer == "accept" else "Not declined", invocation.err_view)
        )
    return [line()]
