"""`prove`: attack this very installation, on this machine and without network, and say what stopped each attack."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document
from dispatch_cli.render.proof import proof_lines


@click.command(cls=Command)
@click.pass_obj
def prove(invocation: Invocation) -> int:
    """Play attacks of a relay's owner, and escapes from the sandbox, here; exit 1 unless all were stopped.

    Everything runs in a temporary directory, with people who do not exist, and nothing leaves this machine. Each attack
    has a control: the same act where the check, or the wall, is missing, which must succeed.
    """
    from dispatch_cli.proving.attempt import Attempt  # what starts programs is loaded where they are started
    from dispatch_cli.proving.programs import Programs, ended_in_order
    from dispatch_cli.proving.relay import attempts as by_the_relay
    from dispatch_cli.proving.town import Town
    from dispatch_cli.proving.wall import attempts as at_the_wall

    def played() -> Iterator[Attempt]:
        invocation.note("Starting a relay for its owner, and three people with daemons of their own …")
        town.open()
        invocation.note("The relay attacks …")
        yield from by_the_relay(town)
        invocation.note("A run tries to get out of its sandbox …")
        yield from at_the_wall(programs)

    begun = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))  # short: the path of a Unix socket has little room
    programs = Programs(directory)
    town = Town(programs)
    with ended_in_order():
        try:
            found = [attempt.document() for attempt in played()]
        finally:
            programs.end()
            shutil.rmtree(directory, ignore_errors=True)
    report: Document = {
        "ok": all(each["stopped"] is True and each["control"] is True for each in found),
        "seconds": round(time.monotonic() - begun, 1),
        "attempts": found,
    }
    invocation.show(report, lambda view: proof_lines(report, view))
    return 0 if report["ok"] else 1
