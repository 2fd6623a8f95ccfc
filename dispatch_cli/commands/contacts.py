"""`contacts` and `revoke`: who is known and how, comparing with somebody, names of one's own, and the end of an edge."""

import sys

import click

from dispatch_cli import candidates
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command, Group
from dispatch_cli.render.comparing import comparison_lines
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.lines import line
from dispatch_cli.render.text import visible
from dispatch_cli.render.trust import contacts_lines, fingerprints_lines, revoked_lines

_WORDS = 7
_ANSWERS = {"y": "same", "yes": "same", "d": "different", "different": "different"}


@click.group(cls=Group, invoke_without_command=True)
@click.option(
    "--fingerprints", is_flag=True, help="The whole fingerprint of each, to compare by another way."
)
@click.pass_context
def contacts(ctx: click.Context, fingerprints: bool) -> None:
    """List who may dispatch to whom, how each is known, and under which scopes."""
    if ctx.invoked_subcommand is not None:
        return
    invocation: Invocation = ctx.obj
    found = invocation.door.get("/v1/contacts")
    if fingerprints:
        invocation.show(found, lambda view: fingerprints_lines(found, view))
        return
    asked = not found.get("edges") and not invocation.options.json and _waits(invocation)
    invocation.show(found, lambda view: contacts_lines(found, view, invited=asked))


def _waits(invocation: Invocation) -> bool:
    """Say whether an invitation, sent or received, still waits for its answer."""
    listed = invocation.door.get("/v1/invitations")
    both = [*items(listed, "sent"), *items(listed, "received")]
    return any(text(each, "status") == "pending" for each in both)


@contacts.command("verify")
@click.argument("peer", shell_complete=candidates.peers())
@click.option("--words", metavar="'W W W W W W W'", help="The seven words as the other one reads them.")
@click.option("--different", is_flag=True, help="The other one reads other words.")
@click.option("--again", is_flag=True, help="Begin anew, with new words.")
@click.pass_obj
def verify_contact(
    invocation: Invocation, peer: str, words: str | None, different: bool, again: bool
) -> None:
    """Compare with PEER by seven words.

    So nobody can sit between you unseen. Both type this, whoever comes first; neither has to be online with the other. Once both have, both see the same
    seven words. Read them to each other by another way: face to face, or by a voice that you know.
    """
    if sum((words is not None, different, again)) > 1:
        raise click.UsageError("choose one of --words, --different and --again")
    read = None if words is None else words.replace(",", " ").replace("-", " ").split()
    if read is not None and len(read) != _WORDS:
        raise click.UsageError("--words takes all seven words, in their order")
    asked = {"peer": peer, "words": read, "different": different, "again": again}
    answer = invocation.door.post("/v1/contacts/verify", asked)
    if text(answer, "status") == "words" and invocation.is_interactive:
        invocation.err.show(comparison_lines(answer, invocation.err_view))
        answer = _ask(invocation, peer, answer)
    invocation.show(answer, lambda view: comparison_lines(answer, view))


def _ask(invocation: Invocation, peer: str, answer: Document) -> Document:
    """Ask the human whether the words are the same; Enter leaves it open."""
    invocation.err.raw("Do they read the same seven, in this order? yes [y], other words [d], later [Enter] ")
    said = _ANSWERS.get(sys.stdin.readline().strip().lower())
    if said is None:
        return answer
    judged = {"peer": peer, "again": False, "different": said == "different"}
    words = None if said == "different" else answer["words"]
    return invocation.door.post("/v1/contacts/verify", {**judged, "words": words})


@contacts.command("alias")
@click.argument("peer", shell_complete=candidates.peers())
@click.argument("name", required=False)
@click.option("--remove", is_flag=True, help="Call them by their address again.")
@click.pass_obj
def alias_contact(invocation: Invocation, peer: str, name: str | None, remove: bool) -> None:
    """Call PEER by a NAME of your own. It stands wherever an address does, and only here."""
    if (name is None) != remove:
        raise click.UsageError("type the name, or --remove")
    answer = invocation.door.post("/v1/contacts/alias", {"peer": peer, "name": name})
    address, called = visible(text(answer, "peer")), visible(text(answer, "alias"))
    said = f"{address} is {called} from now on." if called else f"{address} has no other name here any more."
    invocation.show(answer, lambda _: [line(said)])


@click.command(cls=Command)
@click.argument("peer", shell_complete=candidates.peers())
@click.option("--outgoing", is_flag=True, help="Give up my own edge to the peer instead.")
@click.pass_obj
def revoke(invocation: Invocation, peer: str, outgoing: bool) -> None:
    """End an edge: PEER may no longer dispatch to me, and what runs for them stops.

    All that they were ever allowed here ends. What I give up with --outgoing they are not told.
    """
    answer = invocation.door.post("/v1/contacts/revoke", {"peer": peer, "outgoing": outgoing})
    invocation.show(answer, lambda _: revoked_lines(answer, peer, outgoing=outgoing))
