"""A gate to tool servers with a real listener before it, as something inside would meet it, and a run that decides by a word."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession

from sandbox.gate.model import Decision
from sandbox.gate.pending import Pending, PendingCalls
from sandbox.gate.tools import PORT, Served, ToolGate, rule_for_tools
from sandbox.job import ToolCall
from sandbox.tools.foreign import ForeignTool

PLACEHOLDER = "placeholder-of-this-run"
HOST = f"127.0.0.1:{PORT}"
TOOLS = (ForeignTool("note", "Writes a note down."), ForeignTool("slow", "Takes its time."))


@dataclass
class Besieged:
    """A gate before one server called `files`, what was decided, and which calls were made."""

    gate: ToolGate
    port: int
    client: ClientSession
    decisions: list[Decision]
    made: list[ToolCall]
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(
        self, body: Any, *, path: str = "/files", method: str = "POST", **headers: str
    ) -> tuple[int, str]:
        """Make one request as something inside would; the usual headers unless others are given."""
        usual = {"host": HOST, "content-type": "application/json", "authorization": f"Bearer {PLACEHOLDER}"}
        sent = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.client.request(
            method, url, data=io.BytesIO(data), headers={name: value for name, value in sent.items() if value}
        ) as response:
            return response.status, await response.text()

    async def ask(self, method: str, params: Any, **more: Any) -> Any:
        """Make one request of the protocol; return its answer, the last event of a stream."""
        _, said = await self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params} | more)
        if "event: message" in said:
            said = [line for line in said.splitlines() if line.startswith("data: ")][-1][6:]
        return json.loads(said)

    async def call(self, tool: str = "note", **given: Any) -> Any:
        return await self.ask("tools/call", {"name": tool, "arguments": given})

    async def next(self) -> Pending:
        """Wait for the next call that has come."""
        while (waiting := self.gate.pending.take()) is None:
            await self.gate.pending.come()
        return waiting


@asynccontextmanager
async def besieged(waiting_s: float = 15.0) -> AsyncIterator[Besieged]:
    decisions: list[Decision] = []
    made: list[ToolCall] = []
    begun = asyncio.Event()

    async def tell(decision: Decision) -> None:
        decisions.append(decision)

    async def make(call: ToolCall) -> tuple[bool, str]:
        made.append(call)
        if call.tool.endswith("slow"):
            begun.set()
            await asyncio.Event().wait()
        return True, f"made {call.call_id}"

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    served = {"/files": Served("files", TOOLS)}
    gate = ToolGate(
        served, rule_for_tools(["files"], PLACEHOLDER), PendingCalls(), make, tell, waiting_s=waiting_s
    )
    async with ClientSession() as client, gate.serve(listener):
        yield Besieged(gate, listener.getsockname()[1], client, decisions, made, begun)
