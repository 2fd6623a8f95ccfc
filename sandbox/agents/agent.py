"""What every agent is given and how it ends: an open box, a gate in front of each call, and somebody to tell.

An agent only decides which call comes next. What a call may do is decided by the box, whether it may be made by
the gate, and neither believes the agent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sandbox.errors import SandboxError
from sandbox.events import Confinement, Event
from sandbox.job import ToolCall, ToolResult

OUTPUT_CHARS = 30_000  # of one result, for an agent


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says to one call; `reason` is a stable word or a person's words when it is denied.

    With `park` nobody has answered, and the run is set aside: the agent makes no further call and ends at once,
    `blocked` and `parked`, with the session in which it can be taken up before this very call.
    """

    allow: bool
    reason: str = ""
    park: bool = False


T = TypeVar("T")
# Where an agent stopped, as plain JSON in its own words: the same agent takes it up, in a box over the same layers.
# It is kept on this machine only, and an agent that cannot read what it is given says so with `SessionError`.
Session = Mapping[str, object]
Gate = Callable[[ToolCall], Awaitable[Verdict]]
Emit = Callable[[Event], Awaitable[None]]


class Tools(Protocol):
    """What an agent needs of a box."""

    @property
    def confinement(self) -> Confinement: ...

    @property
    def tools(self) -> frozenset[str]: ...

    async def call(self, call: ToolCall) -> ToolResult: ...

    async def end(self) -> SandboxError:
        """Wait until the box is no longer alive, and return why."""


def told(result: ToolResult) -> str:
    """Return what an agent is told of a result: its beginning, marked where it is cut; the trace keeps more."""
    said = result.output if result.ok else "\n".join(filter(None, (result.error, result.output)))
    more = len(said) - OUTPUT_CHARS
    return said if more <= 0 else f"{said[:OUTPUT_CHARS]}\n[cut here: {more} more characters]"


async def while_alive(box: Tools, work: Awaitable[T]) -> T:
    """Wait for work that happens outside of the box, no longer than the box lives.

    Raises:
        SandboxError: What ended the box; the work was cancelled, and has ended too.
    """
    working, ending = asyncio.ensure_future(work), asyncio.ensure_future(box.end())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            raise ending.result()
        return working.result()
    finally:
        working.cancel()
        ending.cancel()
        await asyncio.wait({working, ending})
