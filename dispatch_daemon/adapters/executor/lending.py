"""The tool servers of a run, lent to an agent whose own program lives inside: a gate of theirs, beside that of its model.

The servers stay outside with all that is theirs. Inside there is an address for each, with the placeholder of the run, and
behind it the tools that the server offered when the run began.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from dispatch_daemon.adapters.executor.toolbox import Toolbox
from dispatch_protocol.tool_server import server_of
from sandbox.agents.acp.run import Reached
from sandbox.agents.agent import Emit, told
from sandbox.errors import SandboxError
from sandbox.events import CallFinished, Crossed
from sandbox.gate.model import Decision
from sandbox.gate.pending import PendingCalls
from sandbox.gate.tools import PORT, Served, ToolGate, rule_for_tools
from sandbox.job import ToolCall
from sandbox.tools.foreign import ForeignTool

__all__ = ["PORT", "Lent", "for_claude", "lent"]

_INSIDE: Final = f"http://127.0.0.1:{PORT}"
_KEY: Final = (
    "Bearer ${DISPATCH_MODEL_KEY}"  # Claude Code writes it out from its environment: a command can be seen
)


@dataclass(frozen=True, slots=True)
class Lent:
    """The servers that a run could be given, and the calls of their tools that have come in."""

    servers: Sequence[str]
    calls: PendingCalls

    def for_acp(self, placeholder: str) -> Reached:
        """Return what an ACP session is opened with."""
        key = [{"name": "authorization", "value": f"Bearer {placeholder}"}]
        written = [
            {"type": "http", "name": name, "url": f"{_INSIDE}/{name}", "headers": key}
            for name in self.servers
        ]
        return Reached(written, self.calls)


def for_claude(servers: Sequence[str]) -> dict[str, dict[str, object]]:
    """Write where Claude Code finds servers, by their names."""
    return {
        name: {"type": "http", "url": f"{_INSIDE}/{name}", "headers": {"authorization": _KEY}}
        for name in servers
    }


@contextlib.asynccontextmanager
async def lent(box: Toolbox, placeholder: str, emit: Emit) -> AsyncIterator[Lent]:
    """Serve the servers of a run until the context is left; one that cannot be asked has no tools, and that is told."""
    calls = PendingCalls()
    if not box.servers:
        yield Lent((), calls)
        return
    offers = await box.offers()
    served = {f"/{name}": Served(name, _own(name, offers)) for name in box.servers}

    async def make(call: ToolCall) -> tuple[bool, str]:
        try:
            result = await box.call(call)
        except SandboxError as error:
            return False, error.detail  # the run is over
        await emit(CallFinished(result))
        return result.ok, told(result)

    async def tell(decision: Decision) -> None:
        await emit(Crossed(decision.allowed, decision.what, decision.code))

    gate = ToolGate(served, rule_for_tools(box.servers, placeholder), calls, make, tell)
    async with gate.serve(box.listener(PORT)):
        yield Lent(tuple(each.name for each in served.values() if each.tools), calls)


def _own(server: str, offers: Sequence[ForeignTool]) -> tuple[ForeignTool, ...]:
    """Return the tools of one server by its own names for them."""
    return tuple(
        ForeignTool(each.name.partition(f"__{server}__")[2], each.description, each.schema)
        for each in offers
        if server_of(each.name) == server
    )
