"""Inviting and being invited from a session: who asks is said before anybody chooses what they may do here."""

from dispatch_cli.commands.trust import chosen_scopes
from dispatch_cli.errors import CliError
from dispatch_cli.inviter import inviter
from dispatch_cli.invocation import Invocation
from dispatch_cli.mcp.session import Answer
from dispatch_cli.render.fields import Document

MENU = [
    "1. Read-only: Read, Glob, Grep (safest; can look, can't change anything)",
    "2. Read + Write/Edit: create and modify files, no shell",
    "3. Allow all: Read, Glob, Grep, Write, Edit, Bash (full shell access inside the sandbox) + mcp_servers='*' (they act outside)",
    "4. Custom: the exact tools you name",
    "5. Decline: no edge is made",
]


def invite(
    invocation: Invocation, action: str, to_email: str | None, token: str | None, scopes: Document
) -> Answer:
    """Invite somebody, list invitations, or answer one; without tools a yes is answered with the menu to ask with."""
    if action == "list":
        return invocation.door.get("/v1/invitations")
    if action == "send":
        if not to_email:
            raise CliError("usage", "send needs to_email.", hint="dispatch_invite(action='send', to_email=…)")
        return invocation.door.post("/v1/invitations", {"email": to_email, "link_only": False})
    if not token:
        raise CliError("usage", f"{action} needs the token.", hint="dispatch_invite(action='list')")
    if action == "decline":
        return invocation.door.post("/v1/invitations/decline", {"token": token})
    if not scopes["tools"]:
        return {
            "status": "scope_choice_required",
            "inviter": inviter(invocation.door, token),
            "menu": MENU,
            "ask": "Say who asks as `inviter.says` has it, then show this menu as it is, with approval (manual, review or auto) and paths, and wait for the human's number.",
        }
    return invocation.door.post("/v1/invitations/accept", {"token": token, **chosen_scopes(scopes)})
