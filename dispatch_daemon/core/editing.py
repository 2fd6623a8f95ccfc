"""Editing an edge: another version of what is granted, and which runs no longer fit into it.

A task is judged by the grant as it stood when it was accepted. A grant that is narrowed below a run that goes on is the
trustor's word against that run: it ends, and nothing it wrote is kept.
"""

from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.core import grants, trust
from dispatch_daemon.core.by_hand import is_by_hand
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.questions import run_paths, scopes_of
from dispatch_daemon.core.records import DispatchRecord, RunRecord
from dispatch_daemon.core.trust_records import EdgeRecord
from dispatch_protocol.budget import lower
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import LocalError
from dispatch_protocol.lifecycle import DispatchState, RunState
from dispatch_protocol.paths import PathMode, mode_at
from dispatch_protocol.scopes import Approval, Returns, Scopes, covers, reach
from dispatch_protocol.signing import Document

STEPS = "steps"  # the agent that no model's budget bounds


def edited(
    edge: EdgeRecord,
    document: Document,
    scopes: Scopes,
    *,
    path_identities: Sequence[tuple[str, int, int]],
    now_ms: int,
) -> list[Effect]:
    """Put another version of one's own grant in force, and owe the relay the little that it has to know of it."""
    changed = replace(grants.joined(edge, document), path_identities=tuple(path_identities))
    return [Put(changed), bounds(edge.edge, scopes, now_ms)]


def bounds(edge: str, scopes: Scopes, now_ms: int) -> Effect:
    """Owe the relay what it has to know of a grant: how many tasks a day, and until when."""
    told: dict[str, JSON] = {"max_per_day": scopes.max_per_day, "expires_ms": scopes.expires_at_ms or 0}
    return trust.relay_call("update_edge", edge, now_ms, told)


def outgrows(record: DispatchRecord, run: RunRecord, now: Scopes) -> bool:
    """Say whether a run goes on that may do, see or return more than is granted now.

    What a human does by hand is not bounded, and an apply that has begun is finished: half of it would be worse.
    """
    going_on = record.state in (DispatchState.ACCEPTED, DispatchState.WAITING_INPUT)
    if not going_on or is_by_hand(run) or run.state is RunState.APPLYING:
        return False
    had = scopes_of(run)
    servers = [f"mcp__{server}__any" for server in had.mcp_servers]
    return (
        not set(had.tools) <= set(now.tools)
        or not all(covers(now, server) for server in servers)
        or not set(had.network) <= set(now.network)
        or _rank(Approval, had.approval) > _rank(Approval, now.approval)
        or _rank(Returns, had.returns) > _rank(Returns, now.returns)
        or (run.agent != STEPS and had.budget.meet(now.budget) != had.budget)
        or lower(had.max_runtime_s, now.max_runtime_s) != had.max_runtime_s
        or _sees_more(run, now)
    )


def _rank(words: type[Approval] | type[Returns], word: Approval | Returns) -> int:
    order: Sequence[Approval | Returns] = list(words)
    return order.index(word)


def _sees_more(run: RunRecord, now: Scopes) -> bool:
    try:
        seen = reach(now, run.cwd or "/")
    except LocalError:
        return True
    for path, mode in run_paths(run):
        granted = mode_at(seen, path)
        if granted is None or (mode == "rw" and granted is PathMode.RO):
            return True
    return False
