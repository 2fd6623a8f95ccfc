"""`accept`: a dispatch runs here, and on a terminal each of its questions is answered here."""

import click

from dispatch_cli import candidates
from dispatch_cli.door import dispatch_path
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.outcome import exit_code
from dispatch_cli.reading import absolute, current_directory
from dispatch_cli.render.accepting import asks_lines, ended_lines, runs_line
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import following, followings, line
from dispatch_cli.render.words import typed_id


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.undecided())
@click.option("--cwd", metavar="DIR", help="The directory to run in.")
@click.option("--detach", is_flag=True, help="Return at once; answer with approve and deny.")
@click.pass_obj
def accept(invocation: Invocation, dispatch_id: str, cwd: str | None, detach: bool) -> int:
    """Accept a dispatch and run it here, inside the sandbox and the scopes of its edge.

    On a terminal it stays, shows the run and asks each call, and ends with the outcome: 0 success, 1 failed or
    blocked, 8 input needed. With --detach, --json or no terminal it returns at once.
    """
    stays = invocation.is_interactive and not detach
    if stays:
        _show_request(invocation, dispatch_id)
    return run_here(invocation, dispatch_id, cwd, stays=stays)


def run_here(invocation: Invocation, dispatch_id: str, cwd: str | None, *, stays: bool) -> int:
    """Accept what was already shown, and follow the run if somebody stays; return the exit code."""
    places = {"cwd": None if cwd is None else absolute(cwd), "caller_cwd": current_directory()}
    body: Document = {name: place for name, place in places.items() if place is not None}
    answer = invocation.door.post(dispatch_path(dispatch_id, "accept"), body)
    full_id = text(answer, "dispatch_id") or dispatch_id
    if not stays:
        rows = [
            line("Accepted. It runs here."),
            following("follow it with", f"dispatch watch {typed_id(full_id)}"),
        ]
        invocation.show(answer, lambda _: rows)
        return 0
    return _stay(invocation, full_id)


def _show_request(invocation: Invocation, dispatch_id: str) -> None:
    """Show who asks for what, whole, before it is accepted."""
    dispatch = invocation.door.dispatch(dispatch_id)
    invocation.out.show(asks_lines(dispatch, invocation.people(), invocation.view))


def _stay(invocation: Invocation, dispatch_id: str) -> int:
    from dispatch_cli.staying import Stay

    started = invocation.door.dispatch(dispatch_id)
    invocation.out.show([runs_line(started, invocation.view)])
    try:
        last = Stay(invocation, dispatch_id).follow()
    except KeyboardInterrupt:
        short = typed_id(dispatch_id)
        invocation.err.show(
            [
                line(),
                line("You left; the run goes on, and what nobody answers is denied."),
                *followings(
                    ("come back with", f"dispatch watch {short}"),
                    ("stop it with", f"dispatch cancel {short}"),
                ),
            ]
        )
        raise
    invocation.out.show(ended_lines(last, invocation.view))
    return exit_code(last)
