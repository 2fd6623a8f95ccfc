"""What a run begins with: its policy from the grant that was in force, and what its agent is asked to do."""

import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dispatch_daemon.adapters.agents import AgentError, Agents
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Order, RunSpec
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.core import briefing, questions, views
from dispatch_daemon.core.records import DispatchRecord, RunRecord
from dispatch_daemon.core.trust_records import EdgeRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.limits import ATTACHMENTS
from dispatch_protocol.messages.task import Task
from dispatch_protocol.scopes import Scopes

NO_AGENT = "No agent is chosen on this machine, and the task carries no steps."
NO_PRICES = "A limit in money was set, and what this model costs is not known here."
_WALL_S = 3600


def context_of(journal: Journal, record: DispatchRecord, run: RunRecord, *, me: str) -> list[tuple[str, str]]:
    """Return what went before a run between the same two people, in the same thread, as far as they know of it."""
    parent = views.task_of(record).parent
    before = None if parent is None else journal.dispatch(parent.hex)
    found: list[tuple[str, str]] = []
    if before is not None and (before.thread_id, before.peer) == (record.thread_id, record.peer):
        about = journal.messages.about(before.digest)
        found = briefing.earlier(before)
        if found:
            found += briefing.said(about, run, me=me, sender=record.address)
    return found + briefing.said(journal.messages.about(record.digest), run, me=me, sender=record.address)


def order_of(
    task: Task, sender: str, scopes: Scopes, agents: Agents, context: Sequence[tuple[str, str]] = ()
) -> Order:
    """Return what the chosen agent is asked to do, within the lower of the author's and the trustor's budget.

    Raises:
        AgentError: there is none (`no_agent`), or it cannot be used as it is.
    """
    agent = agents.open()
    if agent is None:
        raise AgentError("no_agent", NO_AGENT, "dispatch agent list")
    budget = briefing.budget(task, scopes)
    if budget.cost_microusd is not None and agent.price is None:
        raise AgentError("price_unknown", NO_PRICES, agent.price_hint)
    prompt = briefing.prompt(task, sender, RunSpec.ATTACHMENTS, context)
    if agent.program is not None:
        prompt = f"{briefing.RULES.format(artifacts=RunSpec.ARTIFACTS)}\n\n{briefing.unexpanded(prompt)}"
    token = secrets.token_urlsafe(32)
    return Order(agent, prompt, budget.turns, budget.tokens, token, budget.cost_microusd)


async def seal_artifacts(
    artifacts: Sequence[dict[str, JSON]], directory: Path, blobs: BlobStore, now_ms: int
) -> tuple[dict[str, JSON], ...]:
    """Return what a run made with the places of its sealed bytes; what is too large or too much is only named."""
    sealed: list[dict[str, JSON]] = []
    for number, artifact in enumerate(artifacts):
        blob = None
        if number < ATTACHMENTS:
            blob = await blobs.keep_path(directory / str(artifact["name"]), str(artifact["sha256"]), now_ms)
        sealed.append({**artifact, "blob": None if blob is None else blob.write()})
    return tuple(sealed)


def spec_of(
    task: Task,
    run: RunRecord,
    edge: EdgeRecord | None,
    order: Order | None,
    blobs: BlobStore,
    servers: Sequence[str] = (),
) -> RunSpec:
    """Return what the run may see and do: the scopes at its start, on the paths as their owner granted them."""
    scopes = questions.scopes_of(run)
    bounds = [bound for bound in (scopes.max_runtime_s, task.timeout_s) if bound is not None]
    return RunSpec(
        run_id=run.run_id,
        cwd=run.cwd or "",
        paths=questions.run_paths(run),
        identities={path: (device, inode) for path, device, inode in (edge.path_identities if edge else ())},
        tools=frozenset(scopes.tools),
        network=scopes.network,
        steps=[step.write() for step in task.steps],
        wall_s=float(min(bounds, default=_WALL_S)),
        unpack=partial(blobs.unpack, task.attachments) if task.attachments else None,
        order=order,
        resume=run.parked_ms is not None,
        servers=servers,
    )
