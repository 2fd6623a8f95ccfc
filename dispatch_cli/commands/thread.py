"""`thread`, `reply`: what two people say about their dispatches."""

import click

from dispatch_cli import candidates
from dispatch_cli.clock import fresh_key
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.reading import STDIN, read_text
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.people import NOBODY
from dispatch_cli.render.thread import replied_lines, thread_lines


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.pass_obj
def thread(invocation: Invocation, dispatch_id: str) -> None:
    """Show a whole thread: each dispatch of it, and what was said about it by either side.

    What the other side wrote counts as read once it was shown.
    """
    answer = invocation.door.get(dispatch_path(dispatch_id, "thread"))
    people = NOBODY if invocation.options.json else invocation.people()
    invocation.show(answer, lambda view: thread_lines(answer, people, view))
    for dispatch in items(answer, "dispatches"):
        _note_read(invocation, dispatch)


def _note_read(invocation: Invocation, dispatch: Document) -> None:
    said = items(dispatch, "messages")
    if any(message.get("unread") is True for message in said):
        body: Document = {"last": text(said[-1], "message_id")}
        invocation.door.post(dispatch_path(text(dispatch, "dispatch_id"), "read"), body)


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.argument("words", metavar="TEXT")
@click.option("--idempotency-key", metavar="K", help="Write it once, however often this command is repeated.")
@click.pass_obj
def reply(invocation: Invocation, dispatch_id: str, words: str, idempotency_key: str | None) -> None:
    """Write TEXT to the other side of a dispatch, signed and sealed. TEXT may be - for standard input.

    The words start nothing there: whoever reads them decides what to do.
    """
    said = read_text(STDIN, "reply") if words == STDIN else words
    if not said.strip():
        raise CliError("usage", "The reply is empty.")
    answer = invocation.door.post(
        dispatch_path(dispatch_id, "messages"),
        {"text": said, "by": "cli"},
        idempotency_key=idempotency_key or fresh_key(),
    )
    people = NOBODY if invocation.options.json else invocation.people()
    dispatch = {} if invocation.options.json else invocation.door.dispatch(text(answer, "dispatch_id"))
    invocation.show(answer, lambda _: replied_lines(answer, dispatch, people))
