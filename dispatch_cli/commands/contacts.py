"""`contacts` and `revoke`: the edges, and ending one."""

import click

from dispatch_cli import candidates
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.lines import line
from dispatch_cli.render.text import visible
from dispatch_cli.render.trust import contacts_lines


@click.command(cls=Command)
@click.pass_obj
def contacts(invocation: Invocation) -> None:
    """List who may dispatch to whom, how each is known, and under which scopes."""
    found = invocation.door.get("/v1/contacts")
    invocation.show(found, lambda view: contacts_lines(found, view))


@click.command(cls=Command)
@click.argument("peer", shell_complete=candidates.peers())
@click.option("--outgoing", is_flag=True, help="Give up my own edge to the peer instead.")
@click.pass_obj
def revoke(invocation: Invocation, peer: str, outgoing: bool) -> None:
    """End an edge: PEER may no longer dispatch to me, and what runs for them stops."""
    answer = invocation.door.post("/v1/contacts/revoke", {"peer": peer, "outgoing": outgoing})
    name = visible(peer)
    said = f"You may no longer dispatch to {name}." if outgoing else f"{name} may no longer dispatch to you."
    invocation.show(answer, lambda _: [line(said)])
