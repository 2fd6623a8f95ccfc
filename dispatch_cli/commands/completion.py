"""`completion`: what makes a shell offer commands, ids and people after Tab."""

import click

from dispatch_cli.completing import SHELLS, script
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.lines import line

_EPILOG = """\b
bash   dispatch completion bash > ~/.local/share/bash-completion/completions/dispatch
zsh    dispatch completion zsh  > ~/.zfunc/_dispatch      (with fpath+=~/.zfunc before compinit)
fish   dispatch completion fish > ~/.config/fish/completions/dispatch.fish
"""


@click.command(cls=Command, epilog=_EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, ids and people in a shell.

    Ids and people are asked of the daemon, if it runs; Tab never starts it.
    """
    invocation = ctx.ensure_object(Invocation)
    text = script(ctx.find_root().command, shell)
    invocation.show({"shell": shell, "script": text}, lambda _: [line(row) for row in text.splitlines()])
