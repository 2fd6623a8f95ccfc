"""Choosing: from what a human chose to scopes, as strictly as the other side will read them.

There is no default for trust: whoever accepts names tools or a profile. How well the other side is known bounds what can be
chosen, and an edit changes what it mentions and nothing else.
"""

from dataclasses import replace
from typing import Any

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import Trust
from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.scopes import (
    HTTPS_PORT,
    PROFILES,
    TOOLS,
    UNVERIFIED_CEILING,
    Approval,
    Returns,
    Scopes,
    meet,
)


def chosen_scopes(choice: ScopeChoice, trust: Trust, now_ms: int, present: Scopes | None = None) -> Scopes:
    """Return what the human chose; never more than how well the other side is known allows.

    `present` is what an edit changes: whatever the choice does not mention stays exactly as it is there.

    Raises:
        ServiceError: `scope_choice_required` without tools or a profile, `invalid` for what is no scope.
    """
    base = _chosen_tools(choice, present)
    if choice.expires_at_ms and choice.expires_at_ms <= now_ms:
        raise ServiceError("invalid", "this grant would have expired already")
    try:
        scopes = replace(base, **_mentioned(choice))
        Scopes.read(Fields(scopes.write(), "scopes"))  # as strictly as the other side will
    except (ValueError, MalformedError) as error:
        raise ServiceError("invalid", f"these scopes cannot be granted: {error}") from error
    return bounded(scopes, trust)


def _chosen_tools(choice: ScopeChoice, present: Scopes | None) -> Scopes:
    """Return the scopes that a choice begins from, with its tools: those of a profile, of an edge, or none but the tools."""
    if choice.tools is None and choice.profile is None:
        if present is not None:
            return present
        raise ServiceError(
            "scope_choice_required", "choose what they may do here: there is no default for trust"
        )
    if choice.tools is not None and choice.profile is not None:
        raise ServiceError("invalid", "choose tools or a profile, not both")
    if choice.profile is not None:
        if choice.profile not in PROFILES:
            raise ServiceError(
                "invalid", f"there is no profile {choice.profile!r}", candidates=sorted(PROFILES)
            )
        profile = PROFILES[choice.profile]
        return profile if present is None else replace(present, tools=profile.tools)
    unknown = sorted(set(choice.tools or ()) - set(TOOLS))
    if unknown:
        raise ServiceError("invalid", f"there is no tool called {', '.join(unknown)}", candidates=TOOLS)
    return replace(Scopes(tools=()) if present is None else present, tools=tuple(choice.tools or ()))


def _mentioned(choice: ScopeChoice) -> dict[str, Any]:
    """Return what a choice mentions beside its tools, by the names of the scopes."""
    said: dict[str, Any] = {
        "mcp_servers": None if choice.mcp_servers is None else tuple(choice.mcp_servers),
        "network": None if choice.network is None else [_host(each) for each in choice.network],
        "approval": None if choice.approval is None else Approval(choice.approval),
        "returns": None if choice.returns is None else Returns(choice.returns),
        "max_per_day": choice.max_per_day,
        "budget": choice.budget,
        "max_runtime_s": choice.max_runtime_s,
        "approval_timeout_s": choice.approval_timeout_s,
    }
    said = {name: value for name, value in said.items() if value is not None}
    if choice.paths is not None:
        said["paths"] = tuple(PathGrant(path, PathMode(mode)) for path, mode in choice.paths)
        said["run_directory_only"] = False
    if choice.expires_at_ms is not None:
        said["expires_at_ms"] = choice.expires_at_ms or None
    return said


def _host(text: str) -> str:
    """Return a host in its one spelling: the port that goes without saying is not said."""
    return text.removesuffix(f":{HTTPS_PORT}")


def bounded(scopes: Scopes, trust: Trust) -> Scopes:
    """Return what of some scopes counts for a contact who is known like this, whatever was granted when it was better."""
    return meet(scopes, UNVERIFIED_CEILING) if trust is Trust.UNVERIFIED else scopes
