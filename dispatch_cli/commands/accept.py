"""`accept`: a dispatch runs here, and on a terminal each of its questions is answered here."""

import sys

import click

from dispatch_cli import candidates
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.outcome import PENDING, exit_code
from dispatch_cli.reading import absolute, current_directory
from dispatch_cli.render.accepting import asks_lines, ended_lines, runs_lines
from dispatch_cli.render.dispatch import asking_lines
from dispatch_cli.render.fields import Document, inner, text
from dispatch_cli.render.lines import following, followings, line
from dispatch_cli.render.text import visible
from dispatch_cli.render.words import typed_id

_NOBODY = frozenset({"no_agent", "agent_key_missing", "agent_incomplete"})


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.undecided())
@click.option(
    "--cwd", metavar="DIR", shell_complete=candidates.directories(), help="The directory to run in."
)
@click.option("--by-hand", is_flag=True, help="Do it yourself, unconfined; then say `dispatch complete`.")
@click.option("--here", is_flag=True, help="Run it here although another device of mine is to.")
@click.option(
    "--headless", is_flag=True, help="Nobody can choose an agent: without one, end it as input needed."
)
@click.option("--detach", is_flag=True, help="Return at once; answer with approve and deny.")
@click.pass_obj
def accept(
    invocation: Invocation,
    dispatch_id: str,
    cwd: str | None,
    by_hand: bool,
    here: bool,
    headless: bool,
    detach: bool,
) -> int:
    """Accept a dispatch and run it here, inside the sandbox and the scopes of its edge.

    On a terminal it stays, shows the run and asks each call, and ends with the outcome: 0 success, 1 failed or
    blocked, 8 input needed. With --detach, --json or no terminal it returns at once.

    Each dispatch has one device of mine that is to run it. Where that one is silent, --here says that this one shall: if the
    other one has accepted it too, it runs twice, and is shown as a conflict.

    With --by-hand nothing runs: you do it with your own tools, which nothing confines, and end it with complete.

    What no agent of this machine could do is not accepted: it is said what was found here, and it goes on waiting for you
    (8). Without any terminal, or with --headless, nobody is there to choose: it is accepted all the same and ends as input
    needed, which its sender is told.
    """
    if by_hand and (cwd is not None or headless):
        raise click.UsageError("By hand nothing runs, so there is no --cwd and no --headless.")
    stays = invocation.is_interactive and not detach
    if stays or (by_hand and invocation.is_interactive):
        shown = _show_request(invocation, dispatch_id)
        if stays and not by_hand and _goes_on_here(shown):
            return stay(invocation, text(shown, "dispatch_id"))
    if by_hand:
        return _by_hand(invocation, dispatch_id, here=here)
    alone = headless or not invocation.is_watched
    return run_here(invocation, dispatch_id, cwd, stays=stays, here=here, headless=alone)


def run_here(
    invocation: Invocation,
    dispatch_id: str,
    cwd: str | None,
    *,
    stays: bool,
    here: bool = False,
    headless: bool = False,
) -> int:
    """Accept what was already shown, and follow the run if somebody stays; return the exit code."""
    places = {"cwd": None if cwd is None else absolute(cwd), "caller_cwd": current_directory()}
    body: Document = {name: place for name, place in places.items() if place is not None}
    body |= {name: True for name, given in (("here", here), ("headless", headless)) if given}
    answer = _accepted(invocation, dispatch_id, body, may_ask=stays)
    full_id = text(answer, "dispatch_id") or dispatch_id
    if not stays:
        rows = [
            line("Accepted. It runs here."),
            *asking_lines({"decision": answer}),
            following("follow it with", f"dispatch watch {typed_id(full_id)}"),
        ]
        invocation.show(answer, lambda _: rows)
        return 0
    return stay(invocation, full_id)


def _accepted(invocation: Invocation, dispatch_id: str, body: Document, *, may_ask: bool) -> Document:
    """Accept; where several directories are possible and a person is there, let them choose."""
    path = dispatch_path(dispatch_id, "accept")
    try:
        return invocation.door.post(path, body)
    except CliError as error:
        if error.code in _NOBODY:
            error.exit_code = PENDING  # it waits for this human still
        if error.code != "cwd_needed" or not error.candidates or not may_ask:
            raise
        chosen = _choose(invocation, error)
    return invocation.door.post(path, {**body, "cwd": chosen})


def _choose(invocation: Invocation, error: CliError) -> str:
    """Show the directories with numbers and return the chosen one; Enter, or anything else, chooses none."""
    rows = [line(f"  {number:>2}  ", visible(place)) for number, place in enumerate(error.candidates, 1)]
    invocation.err.show([line(error.message), *rows])
    invocation.err.raw("Where should it run? Number, or Enter for nowhere: ")
    said = sys.stdin.readline().strip()
    if said.isascii() and said.isdigit() and 0 < int(said) <= len(error.candidates):
        return error.candidates[int(said) - 1]
    raise error


def _show_request(invocation: Invocation, dispatch_id: str) -> Document:
    """Show who asks for what, whole, before it is accepted."""
    dispatch = invocation.door.dispatch(dispatch_id)
    invocation.out.show(asks_lines(dispatch, invocation.people(), invocation.view))
    return dispatch


def _goes_on_here(dispatch: Document) -> bool:
    """Say whether it was accepted before and runs: whoever left it and types the same again comes back to its questions."""
    mine = text(dispatch, "box") != "sent" and not inner(dispatch, "elsewhere")
    return mine and text(dispatch, "status") in {"accepted", "running", "waiting_approval"}


def _by_hand(invocation: Invocation, dispatch_id: str, *, here: bool) -> int:
    body: Document = {"by_hand": True} | ({"here": True} if here else {})
    answer = invocation.door.post(dispatch_path(dispatch_id, "accept"), body)
    short = typed_id(text(answer, "dispatch_id") or dispatch_id)
    rows = [
        line("Accepted, by hand: you do it, and nothing confines what you do. The author is told so."),
        following("when it is done", f"dispatch complete {short} --text 'what came of it'"),
    ]
    invocation.show(answer, lambda _: rows)
    return 0


def stay(invocation: Invocation, dispatch_id: str) -> int:
    """Show a run that goes on here, ask its questions, and end with its outcome."""
    from dispatch_cli.staying import Stay

    started = invocation.door.dispatch(dispatch_id)
    invocation.out.show([*runs_lines(started, invocation.view), *asking_lines(started)])
    try:
        last = Stay(invocation, dispatch_id).follow()
    except KeyboardInterrupt:
        short = typed_id(dispatch_id)
        invocation.err.show(
            [
                line(),
                line(
                    "You left; the run goes on. A call that nobody answers is asked once more, and then the run is parked."
                ),
                *followings(
                    ("come back with", f"dispatch accept {short}"),
                    ("stop it with", f"dispatch cancel {short}"),
                ),
            ]
        )
        raise
    invocation.out.show(ended_lines(last, invocation.view))
    return exit_code(last)
