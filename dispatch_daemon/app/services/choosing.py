"""Agents at the door: which one decides the calls of a task without steps, what else there is, and whether it works."""

from typing import Final

from dispatch_daemon.adapters.agents import AgentError, Agents
from dispatch_daemon.adapters.executor import Executor, WallError, try_agent
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON

_STEPS = "follows the steps that were signed with a task; needs no model and no key"
_REMEDIES: Final = {
    "its program works": "dispatch agent use --help"
}  # it may need more than what it is shown


class Choosing:
    """The agents of this machine."""

    def __init__(self, agents: Agents, executor: Executor) -> None:
        self._agents = agents
        self._executor = executor

    async def agents(self) -> JsonObject:
        """List the agent of signed steps, the chosen one, and what was found to choose from."""
        listed = [_agent("steps", chosen=True, ready=True, detail=_STEPS)]
        chosen = self._agents.called()
        if chosen is not None:
            listed.append(self._chosen(chosen))
        listed += [
            _agent(name, chosen=False, ready=False, detail=where, remedy=how)
            for name, where, how in await self._agents.found()
            if name != chosen
        ]
        return {"agents": listed}

    def _chosen(self, name: str) -> dict[str, JSON]:
        try:
            agent = self._agents.open()
        except AgentError as error:
            return _agent(name, chosen=True, ready=False, detail=error.detail, remedy=error.remedy)
        where = "at its vendor" if agent is None or agent.url is None else f"at {agent.url}"
        return _agent(name, chosen=True, ready=True, detail=where, remedy="dispatch agent test")

    async def test_agent(self) -> JsonObject:
        """Let the chosen agent show that it can work: one harmless call that is never made, or one word."""
        try:
            agent = self._agents.open()
        except AgentError as error:
            raise ServiceError(error.code, error.detail, hint=error.remedy) from error
        if agent is None:
            raise ServiceError("no_agent", "no agent was chosen on this machine", hint="dispatch agent list")
        try:
            tried = await try_agent(self._executor, agent)
        except WallError as error:
            raise ServiceError(error.code, error.detail, hint=error.remedy or "dispatch doctor") from error
        checks: list[JSON] = [
            {
                "name": name,
                "ok": ok,
                "detail": detail,
                "remedy": None if ok else _REMEDIES.get(name, "dispatch agent list"),
            }
            for name, ok, detail in tried
        ]
        return {"ok": all(isinstance(check, dict) and check["ok"] for check in checks), "checks": checks}


def _agent(
    name: str, *, chosen: bool, ready: bool, detail: str, remedy: str | None = None
) -> dict[str, JSON]:
    return {"name": name, "chosen": chosen, "ready": ready, "detail": detail, "remedy": remedy}
