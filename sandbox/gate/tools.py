"""The gate to granted tool servers: it serves the listener that was made inside, as the servers of the run's grant.

A program inside finds one MCP server for each granted one, over HTTP, with exactly that server's tools. The server itself is a
program outside, which the gate never leads to: a call is read, put to the run to decide, and if it may be made it is made
outside, once, as it was shown. Whoever waits is told that it goes on, since a human may be asked.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sandbox.gate import mcp
from sandbox.gate.model import Decision
from sandbox.gate.pending import Pending, PendingCalls
from sandbox.gate.refusal import GateRefusalError
from sandbox.gate.rules import InjectionRule, admit
from sandbox.gate.serving import accept, body_of
from sandbox.job import ToolCall
from sandbox.oneline import one_line
from sandbox.tools.foreign import PREFIX, ForeignTool

if TYPE_CHECKING:
    from aiohttp import web

PORT: Final = 3130
BODY_BYTES: Final = 1024 * 1024
TOGETHER: Final = 8
REQUESTS: Final = 10_000
WAITING_S: Final = 15.0
_REFUSALS_TOLD: Final = 100
_NO_STREAM: Final = (
    "GET",
    "DELETE",
)  # a stream of the server's own and the end of a session: neither is there


@dataclass(frozen=True, slots=True)
class Served:
    """One server as it is seen inside: its name, and its tools by their own names."""

    name: str
    tools: Sequence[ForeignTool]

    def whole(self, tool: str) -> str:
        """Return the name of a tool as the run knows it."""
        return f"{PREFIX}{self.name}__{tool}"


def rule_for_tools(servers: Sequence[str], placeholder: str) -> InjectionRule:
    """Write the rule of what may be asked: each server at a path of its own, by whoever has the run's placeholder."""
    hosts = tuple(f"{host}:{PORT}" for host in ("127.0.0.1", "localhost"))
    return InjectionRule(
        hosts, ("POST",), tuple(f"/{each}" for each in servers), "authorization", placeholder
    )


@dataclass(slots=True)
class ToolGate:
    """One run's gate. `make` makes a call that may be made, and returns what its caller is told; `tell` hears of refusals."""

    served: Mapping[str, Served]
    rule: InjectionRule
    pending: PendingCalls
    make: Callable[[ToolCall], Awaitable[tuple[bool, str]]]
    tell: Callable[[Decision], Awaitable[None]]
    waiting_s: float = WAITING_S
    _working: set["asyncio.Task[tuple[bool, str]]"] = field(default_factory=set)
    _requests: int = 0
    _refusals: int = 0

    @contextlib.asynccontextmanager
    async def serve(self, listener: socket.socket) -> AsyncIterator[None]:
        """Serve until the context is left; then every connection is closed, and no call goes on."""
        from aiohttp import web  # only a run with a gate pays for it

        server = web.Server(
            self._handle,
            access_log=None,
            keepalive_timeout=30.0,
            lingering_time=0.0,
            handler_cancellation=True,
        )
        accepting = asyncio.create_task(accept(listener, server), name="gate to tool servers")
        try:
            yield
        finally:
            working = [accepting, *self._working]
            for task in working:
                task.cancel()
            await asyncio.wait(working)
            listener.close()
            await server.shutdown(0.1)

    async def _handle(self, request: "web.BaseRequest") -> "web.StreamResponse":
        """Answer one request; whatever is wrong with it becomes a refusal that is told inside and outside."""
        from aiohttp import web

        try:
            served = self._admit(request)
            if request.method in _NO_STREAM:
                return web.Response(status=405, headers={"allow": "POST"})
            message = mcp.read_message(await body_of(request, BODY_BYTES))
            if message.number is None:
                return web.Response(status=202)
            if message.method != "tools/call":
                return web.json_response(mcp.answer(message, served.name, served.tools))
            tool, given, token = mcp.read_call(message.params)
        except GateRefusalError as refusal:
            await self._refuse(request, refusal)
            said = mcp.failure(None, mcp.BUSY, f"{refusal.code}: {refusal.detail}")
            return web.json_response(said, status=refusal.status, headers={"connection": "close"})
        if len(self._working) >= TOGETHER:
            busy = f"no more than {TOGETHER} calls at a time"
            return web.json_response(mcp.failure(message.number, mcp.BUSY, busy))
        return await self._call(request, message.number, self.pending.put(served.whole(tool), given), token)

    def _admit(self, request: "web.BaseRequest") -> Served:
        """Return the server that a request is for; raises GateRefusalError."""
        self._requests += 1
        if self._requests > REQUESTS:
            raise GateRefusalError("gate_busy", f"no more than {REQUESTS} requests in a run", 429)
        method = "POST" if request.method in _NO_STREAM else request.method
        return self.served[admit(self.rule, method, request.raw_path, request.headers.items())]

    async def _refuse(self, request: "web.BaseRequest", refusal: GateRefusalError) -> None:
        """Tell of a refusal, as many times as somebody would read it."""
        self._refusals += 1
        if self._refusals <= _REFUSALS_TOLD:
            target = one_line(f"{request.method} {request.raw_path}", 200)
            await self.tell(Decision(allowed=False, what=f"{target}: {refusal.detail}", code=refusal.code))

    async def _call(
        self, request: "web.BaseRequest", number: mcp.Number, call: Pending, token: mcp.Number | None
    ) -> "web.StreamResponse":
        """Answer a call by a stream, so that its caller hears something while it waits."""
        from aiohttp import web

        working = asyncio.create_task(self._made(call), name="call of a tool server")
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        back = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
        try:
            await back.prepare(request)
            count = 0
            while not (await asyncio.wait({working}, timeout=self.waiting_s))[0]:
                count += 1
                alive = b": waiting\n\n" if token is None else mcp.event(mcp.progress(token, count))
                await back.write(alive)
            ok, text = working.result()
            await back.write(mcp.event(mcp.outcome(number, text, ok=ok)))
            await back.write_eof()
        finally:
            # Nobody waits for it any more, and it was not begun: it is not made. One that is being made ends in its own time.
            if not call.decision.done():
                working.cancel()
            call.told.set()
        return back

    async def _made(self, call: Pending) -> tuple[bool, str]:
        decided = await call.decision
        if decided.refused:
            return False, decided.refused
        return await self.make(ToolCall(decided.call_id, call.tool, call.input))
