"""What may be asked of the door about trust: invitations, the scopes that a human chooses, and the people they are for."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, JsonValue

from dispatch_daemon.adapters.loopback.asked import (
    Address,
    Asked,
    Name,
    Names,
    Place,
    Token,
    as_moment,
    moment_ms,
)
from dispatch_daemon.ports import ScopeChoice
from dispatch_protocol import limits
from dispatch_protocol.budget import Budget

NEVER: Final = "never"
Amount = Annotated[int, Field(ge=1, le=limits.SAFE_INTEGER)]


def _moment_or_never(text: str) -> str:
    """Accept a moment, or the word for none."""
    return text if text == NEVER else as_moment(text)


def _end_ms(text: str | None) -> int | None:
    """Return a grant's end: None if it was not mentioned, 0 for never; a moment before 1970 is one in the past."""
    if text is None:
        return None
    return 0 if text == NEVER else max(1, moment_ms(text))


class PathChoice(Asked):
    """One path of a grant; `ro` may be read, `rw` also changed."""

    path: Place
    mode: Literal["ro", "rw"] = "ro"


class BudgetChoice(Asked):
    """What one run may use of a model at most, null for no bound; money in millionths of a US dollar."""

    tokens: Amount | None = None
    turns: Amount | None = None
    cost_microusd: Amount | None = None

    def budget(self) -> Budget:
        """Return it as it is signed."""
        return Budget(tokens=self.tokens, turns=self.turns, cost_microusd=self.cost_microusd)


class Scoped(Asked):
    """Scopes as a human chooses them."""

    tools: Names | None = None
    profile: Literal["read-only", "edit", "full"] | None = None
    paths: Annotated[list[PathChoice], Field(max_length=limits.GRANT_PATHS)] | None = None
    mcp_servers: Names | None = None
    network: Annotated[list[Name], Field(max_length=limits.GRANT_HOSTS)] | None = None
    approval: Literal["manual", "review", "auto"] | None = None
    returns: Literal["status", "result", "trace"] | None = None
    max_per_day: Annotated[int, Field(ge=1, le=limits.MAX_PER_DAY_LIMIT)] | None = None
    budget: BudgetChoice | None = None
    max_runtime: Annotated[int, Field(ge=1, le=limits.RUNTIME_MAX_S)] | None = None
    approval_timeout: Annotated[int, Field(ge=1, le=limits.APPROVAL_TIMEOUT_MAX_S)] | None = None
    expires_at: Annotated[str, AfterValidator(_moment_or_never)] | None = None

    def choice(self) -> ScopeChoice:
        """Gather the scopes into one choice."""
        return ScopeChoice(
            tools=self.tools,
            profile=self.profile,
            paths=None if self.paths is None else tuple((entry.path, entry.mode) for entry in self.paths),
            mcp_servers=self.mcp_servers,
            network=self.network,
            approval=self.approval,
            returns=self.returns,
            max_per_day=self.max_per_day,
            budget=None if self.budget is None else self.budget.budget(),
            max_runtime_s=self.max_runtime,
            approval_timeout_s=self.approval_timeout,
            expires_at_ms=_end_ms(self.expires_at),
        )


class Offer(Scoped):
    """What somebody who is invited may do here in turn."""


class Invite(Asked):
    """Ask somebody for permission to send them tasks; `offer` is what they may do here in turn."""

    email: Address
    link_only: bool = False
    offer: Offer | None = None

    def arguments(self) -> dict[str, Any]:
        """Name the scopes as the daemon does."""
        offer = None if self.offer is None else self.offer.choice()
        return {"email": self.email, "link_only": self.link_only, "offer": offer}


class AcceptInvitation(Scoped):
    """Let the inviter send tasks, within scopes that a human chose: tools or a profile are required."""

    token: Token

    def arguments(self) -> dict[str, Any]:
        """Name the scopes as the daemon does."""
        return {"token": self.token, "choice": self.choice()}


class EditEdge(Scoped):
    """Change what a peer's tasks may do here; what is left out stays as it is."""

    peer: Name

    def arguments(self) -> dict[str, Any]:
        """Name the scopes as the daemon does."""
        return {"peer": self.peer, "choice": self.choice()}


class DeclineInvitation(Asked):
    """Turn an invitation down; no edge is made."""

    token: Token


class Revoke(Asked):
    """End the edge from a peer, or with `outgoing` give up one's own edge to them."""

    peer: Name
    outgoing: bool = False


class VerifyContact(Asked):
    """Compare with a contact: begin or look, `again` with new words; `words` is what the other one reads."""

    peer: Name
    words: Annotated[list[Annotated[str, Field(max_length=32)]], Field(min_length=7, max_length=7)] | None = (
        None
    )
    different: bool = False
    again: bool = False


class AliasContact(Asked):
    """Call a contact by a name of one's own; null is the end of it."""

    peer: Name
    name: Name | None


class ExportTrust(Asked):
    """Whose chains: one's own, and with `contacts` everybody's who is pinned here."""

    contacts: bool = False


class ImportTrust(Asked):
    """One chain from its first link, each link in its DSSE form; it is proved deeper down."""

    links: Annotated[list[JsonValue], Field(min_length=1, max_length=limits.CHAIN_LINKS)]
