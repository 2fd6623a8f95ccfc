"""Whether an agent can work here, found out by letting it: one harmless call that is never made, or one word."""

import os
import secrets
import tempfile
from typing import Final

from dispatch_daemon.adapters.agents import Agent
from dispatch_daemon.adapters.executor.asking import Order
from dispatch_daemon.adapters.executor.executor import Executor
from dispatch_daemon.adapters.executor.model_trial import Check, try_model
from dispatch_daemon.adapters.executor.residing import asks_responses
from dispatch_daemon.adapters.executor.run_spec import RunSpec
from dispatch_protocol.encoding import JSON
from sandbox.oneline import one_line

_WORDS: Final = "Answer with the one word ready, and do nothing else."
_WALL_S: Final = 300.0  # a local model may load for minutes before its first word
_TURNS: Final = 5


class _Silent:
    """Who watches an agent that is only tried: nobody is asked, and nothing is allowed."""

    parked = False

    async def started(self, confinement: dict[str, JSON]) -> None: ...

    async def proposed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> None: ...

    async def allowed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> tuple[bool, str]:
        return False, f"{call_id} ({tool}) was not asked for: it is only tried ({len(arguments)} inputs)"

    async def finished(self, result: dict[str, JSON]) -> None: ...

    async def said(self, text: str) -> None: ...

    async def thought(self, text: str) -> None: ...

    async def noted(self, text: str) -> None: ...

    async def crossed(self, what: str, code: str, *, allowed: bool) -> None: ...


async def try_agent(executor: Executor, agent: Agent) -> list[Check]:
    """Try an agent; return what was found.

    Its model is tried first, whoever asks it later: a program of its own loses the beginning of a prompt as silently as
    we do. Then that program is started behind a wall of its own, on an empty directory, its model behind the gate.

    Raises:
        WallError: the wall cannot be built.
    """
    tried = await try_model(agent)
    if agent.program is None:
        return tried
    (first, *_) = tried
    if not first.ok and asks_responses(agent.program.argv):
        said = f"not tried, because only its program can ask there: {first.detail}"
        tried = [Check("long prompts", True, said)]
    elif not first.ok:
        return tried
    return tried + await _try_program(executor, agent)


async def _try_program(executor: Executor, agent: Agent) -> list[Check]:
    """Let an agent's own program say one word."""
    with tempfile.TemporaryDirectory() as place:
        cwd = os.path.realpath(place)
        spec = RunSpec(
            run_id=f"try-{secrets.token_hex(8)}",
            cwd=cwd,
            paths=[(cwd, "ro")],
            identities={},
            tools=frozenset({"Read"}),
            network=(),
            steps=(),
            wall_s=_WALL_S,
            order=Order(agent, _WORDS, _TURNS, None, secrets.token_urlsafe(32)),
        )
        try:
            settlement = await executor.execute(spec, _Silent())
        finally:
            executor.forget(spec.run_id)
    well = settlement.outcome == "success"
    said = (
        f"it said {one_line(settlement.detail, 80)}" if well else f"{settlement.detail} ({settlement.code})"
    )
    spent = f"{settlement.spent.turns} calls of {agent.name} through the gate"
    return [
        Check("its program works", well, said, None if well else settlement.code),
        Check("asks its model", bool(settlement.spent.turns), spent),
    ]
