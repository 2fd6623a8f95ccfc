"""`devices`: today only the recovery key, shown once, to a person."""

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.fields import text
from dispatch_cli.render.lines import Span, Tone, line
from dispatch_cli.render.text import visible
from dispatch_cli.screen import is_terminal


@click.group(cls=Group)
def devices() -> None:
    """Show the recovery key of this identity, once."""


@devices.command("recovery-key")
@click.pass_obj
def recovery_key(invocation: Invocation) -> None:
    """Show the recovery key, then erase it from this machine. Only on a terminal.

    It is the only other signer of this identity: write it down and keep it away from this machine.
    """
    import sys

    if invocation.options.json or not (invocation.out.is_terminal and is_terminal(sys.stdin)):
        raise CliError(
            "usage",
            "The recovery key is shown on a terminal only, to a person, once.",
            hint="dispatch devices recovery-key",
        )
    invocation.err.show(
        [
            line("The recovery key is shown once and then erased from this machine."),
            line("It is the only other signer of this identity. Have pen and paper ready."),
        ]
    )
    invocation.err.raw("Show it now? [y/N] ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        invocation.err.show([line("Not shown; it is still there.")])
        return
    answer = invocation.door.post("/v1/devices/recovery-key", {})
    key = visible(text(answer, "recovery_key"))
    groups = key if " " in key or "-" in key else " ".join(key[at : at + 4] for at in range(0, len(key), 4))
    invocation.out.show(
        [
            line(),
            line("  ", Span(groups, Tone.STRONG)),
            line(),
            line("It is erased here. Write it down now; nothing can show it again."),
        ]
    )
