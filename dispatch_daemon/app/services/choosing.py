"""Agents at the door: which one decides the calls of a task without steps, what else there is, and whether it works."""

import asyncio
from typing import Final

from dispatch_daemon.adapters.agents import AgentError, Agents
from dispatch_daemon.adapters.choosing_again import TEST
from dispatch_daemon.adapters.executor import Executor, WallError, try_agent
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON

_STEPS = "follows the steps that were signed with a task; needs no model and no key"
_STATES: Final = {
    None: "nobody has asked it yet",
    True: "something answers there, and whether its model works is not tried",
    False: "nobody answers there",
}


class Choosing:
    """The agents of this machine."""

    def __init__(self, agents: Agents, executor: Executor) -> None:
        self._agents = agents
        self._executor = executor

    async def agents(self) -> JsonObject:
        """List the agent of signed steps, the chosen one, and what was found to choose from."""
        listed = [_agent("steps", chosen=True, ready=True, detail=_STEPS)]
        chosen = self._agents.called()
        found, own = await asyncio.gather(self._agents.found(), self._chosen(chosen))
        listed += own
        listed += [
            _agent(name, chosen=False, ready=False, detail=where, remedy=how)
            for name, where, how in found
            if name != chosen
        ]
        return {"agents": listed}

    async def _chosen(self, name: str | None) -> list[dict[str, JSON]]:
        """Return the chosen agent, if there is one, as far as can be said without a task for its model."""
        if name is None:
            return []
        try:
            agent = self._agents.open()
            answers = await self._agents.answers()
            remedy = self._agents.remedy("answers", "model_unreachable") if answers is False else TEST
        except AgentError as error:
            return [_agent(name, chosen=True, ready=False, detail=error.detail, remedy=error.remedy)]
        where = "at its vendor" if agent is None or agent.url is None else f"at {agent.url}"
        return [
            _agent(
                name,
                chosen=True,
                ready=answers is not False,
                answers=answers,
                detail=f"{where}: {_STATES[answers]}",
                remedy=remedy,
            )
        ]

    async def check(self) -> dict[str, JSON]:
        """Say in one row of `doctor` whether the chosen agent is ready, as its list does; no model is asked anything."""
        rows = await self._chosen(self._agents.called())
        if not rows:
            none = "none was chosen: a task without steps needs you (`dispatch agent list`)"
            return {"name": "agent", "ok": True, "detail": none, "remedy": None}
        (row,) = rows
        ready = row["ready"] is True
        told = f"{row['name']}, {row['detail']}"
        return {"name": "agent", "ok": ready, "detail": told, "remedy": None if ready else row["remedy"]}

    async def agent_key(self, *, name: str) -> JsonObject:
        """Say whether the environment of this daemon has a variable; nothing of what it holds."""
        return {"name": name, "held": self._agents.has_variable(name)}

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
                "name": check.name,
                "ok": check.ok,
                "detail": check.detail,
                "remedy": None if check.ok else self._agents.remedy(check.name, check.code),
            }
            for check in tried
        ]
        return {"ok": all(check.ok for check in tried), "checks": checks}


def _agent(
    name: str,
    *,
    chosen: bool,
    ready: bool,
    detail: str,
    remedy: str | None = None,
    answers: bool | None = None,
) -> dict[str, JSON]:
    return {
        "name": name,
        "chosen": chosen,
        "ready": ready,
        "answers": answers,
        "detail": detail,
        "remedy": remedy,
    }
