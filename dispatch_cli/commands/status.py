"""`status`: one dispatch whole."""

import click

from dispatch_cli import candidates
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.dispatch import dispatch_lines
from dispatch_cli.render.people import NOBODY


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.pass_obj
def status(invocation: Invocation, dispatch_id: str) -> None:
    """Show one dispatch: who asks, the task, the run, approvals, changes, receipts.

    ID may be shortened to its first 4 characters or more, as long as it stays unique.
    """
    document = invocation.door.dispatch(dispatch_id)
    people = NOBODY if invocation.options.json else invocation.people()
    invocation.show(document, lambda view: dispatch_lines(document, people, view))
