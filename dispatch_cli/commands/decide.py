"""`decline` and `cancel`: the two short answers."""

import click

from dispatch_cli import candidates
from dispatch_cli.door import dispatch_path
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, text, truth
from dispatch_cli.render.lines import Line, following, line
from dispatch_cli.render.words import typed_id


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.undecided())
@click.option("--reason", metavar="T", help="Tell the author why.")
@click.pass_obj
def decline(invocation: Invocation, dispatch_id: str, reason: str | None) -> None:
    """Decline a dispatch that was sent to me: nothing runs, and the author is told."""
    answer = invocation.door.post(dispatch_path(dispatch_id, "decline"), _because(reason))
    invocation.show(answer, lambda _: [line("Declined. The author is told.")])


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.unfinished())
@click.option("--reason", metavar="T", help="Tell the other side why.")
@click.pass_obj
def cancel(invocation: Invocation, dispatch_id: str, reason: str | None) -> None:
    """Ask for a dispatch to be cancelled, as its author or its recipient.

    It is cancelled when the recipient's machine says so; until then its status stays.
    """
    answer = invocation.door.post(dispatch_path(dispatch_id, "cancel"), _because(reason))
    invocation.show(answer, lambda _: _cancel_lines(answer, dispatch_id))


def _because(reason: str | None) -> Document:
    return {} if reason is None else {"reason": reason}


def _cancel_lines(answer: Document, dispatch_id: str) -> list[Line]:
    if text(answer, "status") == "cancelled":
        return [line("Cancelled.")]
    short = typed_id(text(answer, "dispatch_id") or dispatch_id)
    asked = "Cancel requested" if truth(answer, "cancel_requested") else "Nothing was cancelled"
    return [
        line(f"{asked}. It counts when the recipient's machine says so."),
        following("see", f"dispatch status {short}"),
    ]
