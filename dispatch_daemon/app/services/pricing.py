"""Whether a limit in money can be kept here: what the chosen model costs has to be known before anything is spent."""

from dispatch_daemon.adapters.agents import AgentError, Agents
from dispatch_daemon.core import briefing
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.messages.task import Task
from dispatch_protocol.scopes import Scopes


def require_price(agents: Agents, task: Task, scopes: Scopes) -> None:
    """Refuse a limit in money that nobody here could keep.

    Raises:
        ServiceError: `price_unknown`.
    """
    limit = briefing.budget(task, scopes).cost_microusd
    if limit is None or task.steps:
        return
    try:
        agent = agents.open()
    except AgentError:
        return  # the run says so, in full
    if agent is not None and agent.price is None:
        allowed = f"{limit / 1_000_000:.6f}".rstrip("0").rstrip(".")
        raise ServiceError(
            "price_unknown",
            f"this task may cost at most ${allowed}, and what {agent.model} costs is not known here",
            hint=agent.price_hint,
        )
