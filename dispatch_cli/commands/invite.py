"""`invite`, `invitations`, `decline-invitation`: how an edge begins, or does not."""

import click

from dispatch_cli import candidates
from dispatch_cli.commands.trust import invitation_token, path_choices
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import line
from dispatch_cli.render.qr import qr_lines
from dispatch_cli.render.trust import invitations_lines, invited_lines


@click.command(cls=Command)
@click.argument("email")
@click.option("--link-only", is_flag=True, help="Print the invitation, do not mail it.")
@click.option("--qr", is_flag=True, help="Draw the token as a QR code too.")
@click.option(
    "--offer",
    type=click.Choice(["read-only", "edit", "full"]),
    help="Let them dispatch to me too, as soon as they accept: named tools.",
)
@click.option(
    "--paths",
    metavar="P[:ro|:rw],…",
    multiple=True,
    help="Where what is offered may be done. May be repeated.",
)
@click.pass_obj
def invite(
    invocation: Invocation,
    email: str,
    link_only: bool,
    qr: bool,
    offer: str | None,
    paths: tuple[str, ...],
) -> None:
    """Invite EMAIL, so that I may dispatch to them. They choose what I may do there.

    With --offer they may dispatch to me in turn, from the moment that they accept. Each of their tasks still waits until I
    accept it; dispatch edit-edge and revoke change it, as for any other edge.
    """
    if paths and offer is None:
        raise click.UsageError("--paths belong to an --offer")
    asked: Document = {"email": email, "link_only": link_only}
    if offer is not None:
        asked["offer"] = {"profile": offer, **({"paths": path_choices(paths)} if paths else {})}
    answer = invocation.door.post("/v1/invitations", asked)
    drawn = text(answer, "token") if qr else None
    invocation.show(
        answer, lambda view: [*(qr_lines(drawn, view) if drawn else []), *invited_lines(answer, email, view)]
    )


@click.command(cls=Command)
@click.pass_obj
def invitations(invocation: Invocation) -> None:
    """List the invitations that I sent and received."""
    found = invocation.door.get("/v1/invitations")
    invocation.show(found, lambda view: invitations_lines(found, view))


@click.command("decline-invitation", cls=Command)
@click.argument("invitation", metavar="TOKEN|ID|-", shell_complete=candidates.invitations(own=True))
@click.pass_obj
def decline_invitation(invocation: Invocation, invitation: str) -> None:
    """Decline an invitation, or take my own back: no edge is made.

    My own is taken back as long as nobody has accepted it; its token and its page are worth nothing from then on.
    """
    answer = invocation.door.post("/v1/invitations/decline", {"token": invitation_token(invitation)})
    taken_back = text(answer, "status") == "revoked"
    said = "Taken back. Nobody can accept it any more." if taken_back else "Declined. No edge was made."
    invocation.show(answer, lambda _: [line(said)])
