"""Granting: from what a human chose to scopes that a run here could be given, with what stands at each path now."""

from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.adapters.executor import Executor, WallError
from dispatch_daemon.adapters.servers import ServerError
from dispatch_daemon.core import choosing
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import Trust
from dispatch_protocol.paths import contains
from dispatch_protocol.scopes import ANY, Scopes

Identity = tuple[str, int, int]  # a path, its device and its inode


def granted(
    choice: ScopeChoice,
    known: Trust,
    now_ms: int,
    executor: Executor,
    *,
    present: Scopes | None = None,
    kept: Sequence[Identity] = (),
) -> tuple[Scopes, list[Identity]]:
    """Return what is granted, and what stands at each path that is named; refuse what no run here could be given.

    `present` is what an edit changes. Paths that it does not name are not granted anew: they need not be on this machine,
    and what stood at them when they were, as `kept` says, is what counts.
    """
    servers = _servers(choice.mcp_servers or (), executor)
    listed = choice.paths or ()
    identities = [_enrolled(executor, path, mode) for path, mode in listed]
    modes = [mode for _, mode in listed]
    paths = [(path, mode) for (path, _, _), mode in zip(identities, modes, strict=True)]
    _refuse_nested(paths)
    named = replace(choice, paths=None if choice.paths is None else paths)
    scopes = choosing.chosen_scopes(named, known, now_ms, present)
    # `*` and `full` mean the servers that are here now, by name: one that comes later was not granted today.
    scopes = replace(scopes, mcp_servers=servers) if ANY in scopes.mcp_servers else scopes
    return scopes, (list(kept) if choice.paths is None else identities)


def _servers(named: Sequence[str], executor: Executor) -> tuple[str, ...]:
    """Return the MCP servers of this machine, which all that are named must be."""
    try:
        here = tuple(server.name for server in executor.servers.listed())
    except ServerError as error:
        raise ServiceError(error.code, error.detail, hint=error.remedy) from error
    unknown = sorted(set(named) - {*here, ANY})
    if unknown:
        shown = ", ".join(here) or "none"
        raise ServiceError(
            "mcp_unavailable",
            f"this machine has no MCP server called {unknown[0]}; it has: {shown}",
            hint="dispatch agent server add NAME -- COMMAND",
            candidates=here,
        )
    return here


def _enrolled(executor: Executor, path: str, mode: str) -> Identity:
    """Note what stands at a path now, so that a later swap is noticed; refuse what must never be granted."""
    try:
        return executor.enrol(path, "rw" if mode == "rw" else "ro")
    except WallError as error:
        raise ServiceError(error.code, error.detail, hint=error.remedy or None) from error


def _refuse_nested(paths: Sequence[tuple[str, str]]) -> None:
    """Refuse a path below another one with another mode: no wall here can hold both yet."""
    for outer, outer_mode in paths:
        for inner, inner_mode in paths:
            if outer_mode != inner_mode and outer != inner and contains(outer, inner):
                raise ServiceError(
                    "grants_nested",
                    f"{inner} ({inner_mode}) lies in {outer} ({outer_mode}); grant one mode for both",
                )
