"""`handover`: another device of mine runs what this one was to run."""

import click

from dispatch_cli import candidates
from dispatch_cli.door import dispatch_path
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import text
from dispatch_cli.render.lines import following, line
from dispatch_cli.render.text import visible
from dispatch_cli.render.words import typed_id


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.undecided())
@click.argument("device", metavar="DEVICE", shell_complete=candidates.devices(others=True))
@click.pass_obj
def handover(invocation: Invocation, dispatch_id: str, device: str) -> None:
    """Let another device of mine run a dispatch that this one was to run.

    DEVICE is a name or the beginning of an id, as `dispatch devices` lists them. It can accept it as soon as it hears;
    this device cannot any more, from now on.
    """
    answer = invocation.door.post(dispatch_path(dispatch_id, "handover"), {"device": device})
    short, name = typed_id(text(answer, "dispatch_id") or dispatch_id), visible(text(answer, "name"))
    rows = [
        line(f"Handed over: {name} is to run it, and this device is not any more."),
        following(f"on {name}, accept it with", f"dispatch accept {short}"),
    ]
    invocation.show(answer, lambda _: rows)
