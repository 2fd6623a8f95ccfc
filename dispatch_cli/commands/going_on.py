"""`resume`, `discard`, `review`, `complete`: what a human here does about a dispatch that was accepted."""

import click

from dispatch_cli import candidates
from dispatch_cli.commands.accept import stay
from dispatch_cli.door import dispatch_path
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.reading import absolute
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import following, line
from dispatch_cli.render.question import reviewed
from dispatch_cli.render.words import typed_id


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.parked())
@click.pass_obj
def resume(invocation: Invocation, dispatch_id: str) -> int:
    """Take up a run that was parked because nobody answered.

    It goes on before the call that was not answered, under the scopes of its edge as they are now. It does not if
    somebody has changed meanwhile what the run would change too. On a terminal it stays, as accept does.
    """
    answer = invocation.door.post(dispatch_path(dispatch_id, "resume"), {})
    full_id = text(answer, "dispatch_id") or dispatch_id
    if invocation.is_interactive:
        return stay(invocation, full_id)
    short = typed_id(full_id)
    rows = [
        line("Taken up. It asks again where nobody answered."),
        following("follow it with", f"dispatch watch {short}"),
    ]
    invocation.show(answer, lambda _: rows)
    return 0


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.discardable())
@click.pass_obj
def discard(invocation: Invocation, dispatch_id: str) -> None:
    """Throw away a parked run, or changes that wait for an answer: nothing is applied, and the author is told."""
    answer = invocation.door.post(dispatch_path(dispatch_id, "discard"), {"by": "cli"})
    invocation.show(answer, lambda _: [line("Discarded. Nothing was applied, and the author is told.")])


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.running())
@click.pass_obj
def review(invocation: Invocation, dispatch_id: str) -> None:
    """Stop being asked for each call of this run, and review its changes at the end instead.

    Only how it asks changes: tools, paths and hosts stay as they were granted, and nothing is applied or returned
    before you have seen it. What goes to a granted MCP server stands in no changeset, so each call of one still asks. A contact who came by mail and was never compared asks for each call.
    """
    answer = invocation.door.post(dispatch_path(dispatch_id, "review"), {"by": "cli"})
    dispatch = {} if invocation.options.json else invocation.door.dispatch(text(answer, "dispatch_id"))
    invocation.show(answer, lambda _: [line(f"{reviewed(dispatch)} You approve its changes at the end.")])


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.running())
@click.option("--text", "said", metavar="T", required=True, help="What came of it: the author reads this.")
@click.option(
    "--file",
    "files",
    metavar="F",
    multiple=True,
    shell_complete=candidates.files(),
    help="A file that belongs to it; may be repeated.",
)
@click.pass_obj
def complete(invocation: Invocation, dispatch_id: str, said: str, files: tuple[str, ...]) -> None:
    """Say what came of a dispatch that was accepted --by-hand; the words are signed and sent to its author."""
    body: Document = {"text": said, "file": [absolute(path) for path in files]}
    answer = invocation.door.post(dispatch_path(dispatch_id, "complete"), body)
    invocation.show(answer, lambda _: [line("Completed. The author gets your words and a signed receipt.")])
