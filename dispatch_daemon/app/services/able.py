"""Whether anybody here could do a task, asked before it is accepted: a no afterwards would be signed to its sender.

What carries steps needs nobody. Everything else needs the agent that was chosen on this machine, with its key.
"""

from dispatch_daemon.adapters.agents import AgentError, Agents
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.views import task_of

_NOBODY = "it carries no steps, and no agent is chosen on this machine, so nothing was begun"
_SHOWN = 3
_ANY = (
    "dispatch agent use openai:MODEL --url URL",
    "dispatch agent use anthropic:MODEL --key-env ANTHROPIC_API_KEY",
)


async def require_able(agents: Agents, record: DispatchRecord, *, instead: str) -> None:
    """Refuse what nobody here could do, with what was found on this machine; `instead` is the command that needs no agent.

    Raises:
        ServiceError: `no_agent`, or the code for which the chosen agent cannot be used; `candidates` are the commands.
    """
    if task_of(record).steps:
        return
    try:
        if agents.open() is not None:
            return
    except AgentError as error:
        detail = f"{error.detail} Nothing was begun."
        raise ServiceError(
            error.code, detail, hint=error.remedy, candidates=[error.remedy, instead]
        ) from error
    offers = (await agents.found())[:_SHOWN]
    places = ", ".join(dict.fromkeys(f"{name} ({where})" for name, where, _ in offers))
    found = f"; found here: {places}" if places else "; none was found here to choose"
    commands = [how for _, _, how in offers] or list(_ANY)
    raise ServiceError(
        "no_agent", _NOBODY + found, hint="dispatch agent list", candidates=[*commands, instead]
    )
