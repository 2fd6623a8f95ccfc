"""Who asks with an invitation, as far as this machine knows: said before anybody chooses what their tasks may do here.

A token names one invitation by its digest and one identity by its fingerprint. Only where both fit what the relay told of is
its address worth showing; a name that nothing proves is said to be just that.
"""

from typing import TYPE_CHECKING

from dispatch_cli.errors import CliError
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.text import visible
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.invitation_token import PREFIX, InvitationToken

if TYPE_CHECKING:
    from dispatch_cli.door import Door

_PREFIX_CHARS = 4
_UNKNOWN = "Somebody whose invitation this machine has not heard of: only whoever gave it to you can say who."
_FOREIGN = "The token names another identity than the invitation does: do not accept it."


def inviter(door: "Door", typed: str) -> Document:
    """Return who asks: {peer or null, trust or null, identity or null, says: one or two sentences}."""
    try:
        received, edges = (
            items(door.get("/v1/invitations"), "received"),
            items(door.get("/v1/contacts"), "edges"),
        )
    except CliError:  # whoever accepts is told what is wrong; who asks is unknown until then
        return _nobody(_UNKNOWN)
    invitation_id, genesis = _named(typed)
    found = [each for each in received if _is(each, invitation_id, whole=genesis is not None)]
    if len(found) != 1:
        return _nobody(_UNKNOWN)
    peer, identity = text(found[0], "peer"), text(found[0], "identity")
    if genesis is not None and identity != genesis:
        return _nobody(_FOREIGN)
    trust = "unverified" if genesis is None else "token"
    says = [_known(visible(peer), identity, trust), *_before(edges, peer, identity)]
    return {"peer": peer, "trust": trust, "identity": identity, "says": " ".join(says)}


def _named(typed: str) -> tuple[str, str | None]:
    """Return the id that was typed or that a token names, and the identity that the token names."""
    try:
        token = InvitationToken.parse(typed.strip()) if typed.strip().startswith(PREFIX) else None
    except DispatchError:
        return "", None
    if token is None:
        return typed.strip().lower(), None
    return token.edge.uuid, token.genesis.hex


def _is(invitation: Document, named: str, *, whole: bool) -> bool:
    own = text(invitation, "invitation_id")
    return own == named if whole else len(named) >= _PREFIX_CHARS and own.startswith(named)


def _nobody(says: str) -> Document:
    return {"peer": None, "trust": None, "identity": None, "says": says}


def _known(peer: str, identity: str, trust: str) -> str:
    if trust == "token":
        return f"{peer}, identity {identity[:16]}: the token names both."
    return f"{peer}, as the broker tells it: without the token nothing else proves who asks."


def _before(edges: list[Document], peer: str, identity: str) -> list[str]:
    """Say who of one's contacts this is; an address that has come with another identity before is a warning."""
    same = [edge for edge in edges if text(edge, "identity") == identity]
    compared = any(text(edge, "trust") == "compared" for edge in same)
    said = [] if compared else ["Nobody has compared yet."]
    if same:
        name = visible(text(same[0], "alias") or text(same[0], "peer"))
        return [*said, f"You know this identity as {name} ({visible(text(same[0], 'trust'))})."]
    if any(text(edge, "peer").lower() == peer.lower() for edge in edges):
        said.append(
            "You know another identity under this address: ask them by another way which one is theirs."
        )
    return said
