"""`invite`, `invitations`, `decline-invitation`: how an edge begins, or does not."""

import click

from dispatch_cli.commands.trust import invitation_token
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.lines import line
from dispatch_cli.render.trust import invitations_lines, invited_lines


@click.command(cls=Command)
@click.argument("email")
@click.option("--link-only", is_flag=True, help="Print the invitation, do not mail it.")
@click.pass_obj
def invite(invocation: Invocation, email: str, link_only: bool) -> None:
    """Invite EMAIL, so that I may dispatch to them. They choose what I may do there."""
    answer = invocation.door.post("/v1/invitations", {"email": email, "link_only": link_only})
    invocation.show(answer, lambda view: invited_lines(answer, email, view))


@click.command(cls=Command)
@click.pass_obj
def invitations(invocation: Invocation) -> None:
    """List the invitations that I sent and received."""
    found = invocation.door.get("/v1/invitations")
    invocation.show(found, lambda view: invitations_lines(found, view))


@click.command("decline-invitation", cls=Command)
@click.argument("invitation", metavar="TOKEN|ID|-")
@click.pass_obj
def decline_invitation(invocation: Invocation, invitation: str) -> None:
    """Decline an invitation: no edge is made."""
    answer = invocation.door.post("/v1/invitations/decline", {"token": invitation_token(invitation)})
    invocation.show(answer, lambda _: [line("Declined. No edge was made.")])
