"""`pause`: nothing new starts on this machine until its person says so; what runs goes on."""

import click

from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, number, text
from dispatch_cli.render.lines import Line, following, line


@click.command(cls=Command)
@click.option("--off", is_flag=True, help="Let things start again; what was accepted before starts now.")
@click.pass_obj
def pause(invocation: Invocation, off: bool) -> None:
    """Let nothing new start on this machine.

    What runs goes on, and asks as before. What was accepted and has not begun waits; accept and resume are refused
    meanwhile. Tasks still arrive, and can be declined or done by hand. It holds over a restart.
    """
    answer = invocation.door.post("/v1/pause", {"off": off})
    invocation.show(answer, lambda _: _lines(answer))


def _lines(answer: Document) -> list[Line]:
    if not text(answer, "paused_at"):
        return [line("What is accepted starts again.")]
    running = number(answer, "running") or 0
    go_on = "1 run goes on" if running == 1 else f"{running} runs go on" if running else "nothing runs"
    return [
        line(f"Nothing new starts here; {go_on}."),
        following("take it back with", "dispatch pause --off"),
    ]
