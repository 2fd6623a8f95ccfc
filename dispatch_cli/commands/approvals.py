"""`approvals`, `approve`, `deny`: the questions of runs on this machine, answered one by one."""

import click

from dispatch_cli import candidates
from dispatch_cli.client import segment
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.lines import Line, following, line
from dispatch_cli.render.people import NOBODY
from dispatch_cli.render.question import waiting_lines
from dispatch_cli.render.text import visible
from dispatch_cli.render.words import typed_id

GRANTS = ("once", "always", "session")
_APPLIED = "Approved: the changes are applied, and the result goes back."
_REACH = {
    "once": "Allowed once.",
    "always": "Allowed, and from now on always: `dispatch rules list` says exactly what.",
    "session": "Allowed for this run.",
}


@click.command(cls=Command)
@click.pass_obj
def approvals(invocation: Invocation) -> None:
    """List the questions that wait for an answer, each with its whole call."""
    found = invocation.door.get("/v1/approvals")
    people = NOBODY if invocation.options.json else invocation.people()
    invocation.show(found, lambda view: waiting_lines(items(found, "approvals"), people, view))


@click.command(cls=Command)
@click.argument("ids", metavar="[ID] REQ", nargs=-1, required=True, shell_complete=candidates.questions())
@click.option(
    "--grant",
    type=click.Choice(GRANTS),
    help="How far it reaches: once (the default), always from now on, session for this run.",
)
@click.pass_obj
def approve(invocation: Invocation, ids: tuple[str, ...], grant: str | None) -> None:
    """Allow one question. REQ is its id; ID, the dispatch's, may stand before it."""
    answer = answer_question(invocation, ids, "approve", {} if grant is None else {"grant": grant})
    said = _REACH[grant or "once"] if text(answer, "kind") != "changeset" else _APPLIED
    invocation.show(answer, lambda _: _told_lines(answer) or [line(said)])


@click.command(cls=Command)
@click.argument("ids", metavar="[ID] REQ", nargs=-1, required=True, shell_complete=candidates.questions())
@click.option("--reason", metavar="T", help="Say why, for the trace.")
@click.option("--stop", is_flag=True, help="End the run at once, with everything that runs in it.")
@click.pass_obj
def deny(invocation: Invocation, ids: tuple[str, ...], reason: str | None, stop: bool) -> None:
    """Deny one question. REQ is its id; ID, the dispatch's, may stand before it."""
    more: Document = {"reason": reason, "stop": stop or None}
    given = {name: value for name, value in more.items() if value is not None}
    answer = answer_question(invocation, ids, "deny", given)
    said = [line("Denied, and the run is stopped." if stop else "Denied.")]
    invocation.show(answer, lambda _: _told_lines(answer) or said)


def _told_lines(answer: Document) -> list[Line]:
    """Return that an answer is on its way to the device that runs; nothing if that is this one."""
    if text(answer, "status") != "told":
        return []
    place, short = visible(text(answer, "on")), typed_id(text(answer, "dispatch_id"))
    return [
        line(f"Signed, and told to {place}: it counts once it is applied there."),
        following("see what became of it with", f"dispatch status {short}"),
    ]


def answer_question(invocation: Invocation, ids: tuple[str, ...], decision: str, more: Document) -> Document:
    """Send one decision; the daemon answers once it holds."""
    if len(ids) > 2:
        raise click.UsageError("Name one question: [ID] REQ.")
    body: Document = {"decision": decision, "by": "cli", **more}
    if len(ids) == 2:
        body["dispatch_id"] = ids[0]
    return invocation.door.post(f"/v1/approvals/{segment(ids[-1])}", body)
