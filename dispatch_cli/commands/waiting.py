"""`waiting`: one line for a prompt or the beginning of a session; it says nothing if nothing waits."""

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.lines import Line, folded, line
from dispatch_cli.render.people import People, party
from dispatch_cli.render.text import visible

_NAMED = 3


@click.command(cls=Command)
@click.pass_obj
def waiting(invocation: Invocation) -> None:
    """Say in a line how much waits for me, and from whom, and whether a run asks something.

    It starts nothing, and says nothing if nothing waits.
    """
    try:
        inbox = invocation.door.if_running("/v1/dispatches?box=inbox&limit=200")
        asked = invocation.door.if_running("/v1/approvals")
        contacts = invocation.door.if_running("/v1/contacts")
    except CliError:
        inbox = asked = contacts = None
    rows = [row for row in items(inbox or {}, "dispatches") if text(row, "status") == "delivered"]
    senders = list(dict.fromkeys(text(row, "from") for row in rows))
    questions = len(items(asked or {}, "approvals"))
    found: Document = {"waiting": len(rows), "from": senders, "questions": questions}
    invocation.show(
        found,
        lambda view: [
            row
            for said in [*_lines(rows, People(contacts or {})), *_question_lines(questions)]
            for row in folded(said, view)
        ],
    )


def _question_lines(count: int) -> list[Line]:
    """Say that what runs here waits for a word; an unanswered question counts as no."""
    if not count:
        return []
    said = "1 question of a run waits" if count == 1 else f"{count} questions of runs wait"
    return [line(f"Dispatch: {said} for your answer. See and answer with dispatch approvals.")]


def _lines(rows: list[Document], people: People) -> list[Line]:
    """Name who is known by a signature, and never a word of what they wrote."""
    if not rows:
        return []
    senders = list(dict.fromkeys(party(row, "from") for row in rows))
    named = ", ".join(visible(people.known(sender)) for sender in senders[:_NAMED])
    more = f" and {len(senders) - _NAMED} more" if len(senders) > _NAMED else ""
    return [
        line(f"Dispatch: {len(rows)} waiting, from {named}{more}. See them with /dispatch or dispatch inbox.")
    ]
