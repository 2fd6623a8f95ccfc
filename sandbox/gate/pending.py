"""Calls of tools outside that have reached their gate from inside, and wait for the run to decide them.

Anything inside can make one: the agent, and whatever it has started. A run asks its human one thing after another, so each
waits here until the agent's own session takes it up between two messages of its agent.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a call: by which name it is told, and why it is not made; without a reason it may be."""

    call_id: str
    refused: str = ""


@dataclass(slots=True, eq=False)
class Pending:
    """One call, by the whole name of its tool. `told` is set once its caller has been answered, or is gone."""

    tool: str
    input: Mapping[str, Any]
    decision: asyncio.Future[Decided] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def decide(self, call_id: str, refused: str = "") -> bool:
        """Decide it; return whether anybody still waits for that."""
        if self.decision.done():
            return False
        self.decision.set_result(Decided(call_id, refused))
        return True


class PendingCalls:
    """Those of one run, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[Pending] = deque()
        self._came = asyncio.Event()

    def put(self, tool: str, given: Mapping[str, Any]) -> Pending:
        """Add a call."""
        made = Pending(tool, given)
        self._waiting.append(made)
        self._came.set()
        return made

    async def come(self) -> None:
        """Wait until there is one."""
        await self._came.wait()

    def take(self) -> Pending | None:
        """Return the first one that somebody still waits for, if there is one; it is here no longer."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.decision.done():
                return first
        self._came.clear()
        return None
