"""A run's tools: those of its box, and beside them those of the tool servers that its grant names.

The servers stand outside the wall and act with their owner's rights, so nothing of a run reaches one but by a call that has
passed the gate. What they answer goes back as the output of any call does.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from socket import socket
from typing import Final

from dispatch_daemon.adapters.servers import Server, ServerError, Servers
from dispatch_protocol.tool_server import PREFIX, server_of
from sandbox.agents.agent import Emit, while_alive
from sandbox.errors import SandboxError
from sandbox.events import Confinement, Crossed, Noted
from sandbox.job import ToolCall, ToolResult
from sandbox.oneline import one_line
from sandbox.tools import foreign
from sandbox.tools.foreign import ForeignTool
from sandbox.tools.inputs import InputError
from sandbox.wall.box import Box
from sandbox.wall.resident import Resident

STARTED: Final = "the MCP server {name}, a program of this machine outside the wall"


@asynccontextmanager
async def opened(box: Box, names: Sequence[str], servers: Servers, emit: Emit) -> AsyncIterator["Toolbox"]:
    """Open the tools of a run; when the context is left no server is, nor anything that one has started."""
    toolbox = Toolbox(box, names, servers, emit)
    try:
        yield toolbox
    except BaseException:
        await toolbox.close(at_once=True)
        raise
    await toolbox.close(at_once=False)


class Toolbox:
    """What an agent needs of a box (`Tools`, `Home`), with the tools of `names` beside it."""

    def __init__(self, box: Box, names: Sequence[str], servers: Servers, emit: Emit) -> None:
        self._box = box
        self._emit = emit
        self._servers = {
            name: Server(name, servers, partial(self._starting, name)) for name in dict.fromkeys(names)
        }
        self._tools: frozenset[str] = frozenset()

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers of the run, by name."""
        return tuple(self._servers)

    @property
    def confinement(self) -> Confinement:
        return self._box.confinement

    @property
    def resident(self) -> Resident:
        return self._box.resident

    def listener(self, port: int) -> socket:
        return self._box.listener(port)

    @property
    def tools(self) -> frozenset[str]:
        """The tools inside, and of those outside what was named or offered."""
        return self._box.tools | self._tools

    def check_alive(self) -> None:
        """Raise what ended the run, if anything has."""
        self._box.check_alive()

    def name(self, tools: Iterable[str]) -> None:
        """Let those of some tools be called that belong to a server of this run; what its server says of them is not asked."""
        self._tools |= {tool for tool in tools if server_of(tool) in self._servers}

    async def offers(self) -> tuple[ForeignTool, ...]:
        """Start every server and return all their tools; one that cannot be asked is told of and left out."""
        found: list[ForeignTool] = []
        for name, server in self._servers.items():
            try:
                offers = await while_alive(self._box, server.offers())
            except ServerError as error:
                await self._emit(Noted(f"{error.detail} Its tools are not offered in this run."))
                continue
            if server.left_out:
                odd = one_line(", ".join(server.left_out), 200)
                await self._emit(Noted(f"Of the MCP server {name} these tools cannot be offered: {odd}."))
            found += [ForeignTool(offer.name, offer.description, offer.schema) for offer in offers]
        self._tools |= {tool.name for tool in found}
        return tuple(found)

    async def call(self, call: ToolCall) -> ToolResult:
        """Make one call, inside or outside; raises as a box does."""
        server = server_of(call.tool)
        if server is None:
            return await self._box.call(call)
        self.check_alive()
        result = await self._outside(server, call)
        if call.save_as is not None:
            await self._box.save(call.save_as, result.output)
        return result

    async def _outside(self, name: str, call: ToolCall) -> ToolResult:
        if call.tool not in self.tools:
            return ToolResult(call.call_id, ok=False, output="", error=f"the tool {call.tool} is not granted")
        try:
            foreign.check(call.tool, call.input)
            own_name = call.tool.removeprefix(f"{PREFIX}{name}__")
            outcome = await while_alive(self._box, self._servers[name].call(own_name, call.input))
        except InputError as error:
            return ToolResult(call.call_id, ok=False, output="", error=f"{error}")
        except ServerError as error:
            return ToolResult(call.call_id, ok=False, output="", error=error.detail)
        failed = None if outcome.ok else f"the MCP server {name} says that it failed"
        return ToolResult(call.call_id, outcome.ok, outcome.text, outcome.truncated, error=failed)

    async def _starting(self, name: str) -> None:
        """Write down that the run acts outside before it can."""
        await self._emit(Crossed(True, STARTED.format(name=name)))

    async def end(self) -> SandboxError:
        """Wait until the box is no longer alive, and return why."""
        return await self._box.end()

    async def close(self, *, at_once: bool) -> None:
        """End every server."""
        await asyncio.gather(*(server.end(at_once=at_once) for server in self._servers.values()))
