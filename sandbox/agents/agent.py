"""What every agent is given and how it ends: an open box, a gate in front of each call, and somebody to tell.

An agent only decides which call comes next. What a call may do is decided by the box, whether it may be made by
the gate, and neither believes the agent.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sandbox.events import Confinement, Event
from sandbox.job import ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says to one call; `reason` is a stable word or a person's words when it is denied."""

    allow: bool
    reason: str = ""


Gate = Callable[[ToolCall], Awaitable[Verdict]]
Emit = Callable[[Event], Awaitable[None]]


class Tools(Protocol):
    """What an agent needs of a box."""

    @property
    def confinement(self) -> Confinement: ...

    @property
    def tools(self) -> frozenset[str]: ...

    async def call(self, call: ToolCall) -> ToolResult: ...
