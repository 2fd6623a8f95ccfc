"""What a shell asks after Tab, and the script that makes it ask.

The words of the protocol are click's. Whatever goes wrong here offers nothing and says nothing: a person who
pressed Tab is in the middle of a line.
"""

import contextlib
from typing import TYPE_CHECKING

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.screen import screens

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

VARIABLE = "_DISPATCH_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


def script(program: click.Command, shell: str) -> str:
    """Return what a shell reads to complete `dispatch`; `shell` is one of `SHELLS`."""
    written = _completion(program, shell).source()
    # What fish is told of a word is one field: click's script cuts it at its first comma.
    return written.replace('split ","', 'split --max 1 ","') if shell == "fish" else written


def answer(program: click.Command, order: str) -> int:
    """Answer one Tab and return the exit code; `order` is what the script put into `VARIABLE`: `zsh_complete`."""
    shell, _, verb = order.partition("_")
    if shell not in SHELLS or verb != "complete":
        return 1
    with contextlib.suppress(click.ClickException, click.exceptions.Exit, click.Abort, CliError, OSError):
        click.echo(_completion(program, shell).complete())
    return 0


def _completion(program: click.Command, shell: str) -> "ShellComplete":
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:  # pragma: no cover - `SHELLS` are among click's own
        raise click.UsageError(f"There is no completion for {shell}.")
    return found(program, {"obj": Invocation(*screens())}, "dispatch", VARIABLE)
