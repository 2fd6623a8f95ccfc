"""The model's gate: it serves the listener that was made inside, and asks the owner's endpoint what is allowed.

Anything inside can call it: the agent, and whatever the agent starts. So nothing of a request is passed on but the parts
that are known (`anthropic`, `openai`), to the one endpoint of the owner, with the owner's key in place of the run's
placeholder. Redirects are not followed. Of an answer only its status, its kind and its body go back in.
"""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING

from sandbox.gate import anthropic, openai
from sandbox.gate.meter import Count, Meter
from sandbox.gate.pin import Pin
from sandbox.gate.refusal import GateRefusalError, read
from sandbox.gate.rules import InjectionRule, admit
from sandbox.gate.serving import accept, body_of
from sandbox.oneline import one_line
from sandbox.redaction import redacted, redacting
from sandbox.unanswered import unanswered

if TYPE_CHECKING:
    import aiohttp
    from aiohttp import web

PORT = 3128
BODY_BYTES = 32 * 1024 * 1024
ANSWER_BYTES = 32 * 1024 * 1024
TOGETHER = 8
CONNECT_S = 10.0
SILENCE_S = 300.0
_SAID_BYTES = 8192
_REFUSALS_TOLD = 100
_REFUSED_KEY = "the endpoint refused the owner's key"
_HIDDEN = (401, 403)
_BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
SHAPES: dict[str, ModuleType] = {"anthropic": anthropic, "openai": openai}


@dataclass(frozen=True, slots=True)
class Upstream:
    """The owner's endpoint: which protocol it speaks and its base address without `/v1`, None for the vendor's own."""

    protocol: str
    url: str | None = None
    trust: ssl.SSLContext | bool = True
    proxied: bool = True

    @property
    def base(self) -> str:
        """The address before the path of a request."""
        return (self.url or str(SHAPES[self.protocol].DEFAULT_URL)).rstrip("/").removesuffix("/v1")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate did with one request: let it out or not, what it was, and why not."""

    allowed: bool
    what: str
    code: str = ""


@dataclass(slots=True)
class Trouble:
    """The last call's failure, if it failed: a stable code as the agent `model` has it, and one sentence."""

    code: str = ""
    detail: str = ""


def rule_for(protocol: str, placeholder: str, secret: str | None) -> InjectionRule:
    """Write the injection rule of a model's endpoint."""
    shape = SHAPES[protocol]
    hosts = tuple(f"{host}:{PORT}" for host in ("127.0.0.1", "localhost"))
    return InjectionRule(hosts, ("POST",), shape.PATHS, shape.WHERE, placeholder, secret)


@dataclass(slots=True)
class ModelGate:
    """One run's gate. `tell` hears each decision before it takes effect; `spent` is set once nothing is left."""

    upstream: Upstream
    rule: InjectionRule
    pin: Pin
    meter: Meter
    tell: Callable[[Decision], Awaitable[None]]
    trouble: Trouble = field(default_factory=Trouble)
    spent: asyncio.Event = field(default_factory=asyncio.Event)
    _together: int = 0
    _refusals: int = 0

    @contextlib.asynccontextmanager
    async def serve(self, listener: socket.socket) -> AsyncIterator[None]:
        """Serve until the context is left; then every connection is closed."""
        import aiohttp  # only a run with a gate pays for it
        from aiohttp import web

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        async with aiohttp.ClientSession(
            timeout=timeout,
            trust_env=self.upstream.proxied,
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as client:

            async def handle(request: web.BaseRequest) -> web.StreamResponse:
                return await self._handle(client, request)

            # A call that nobody waits for any more is cancelled, so that none outlives the gate.
            server = web.Server(
                handle, access_log=None, keepalive_timeout=30.0, lingering_time=0.0, handler_cancellation=True
            )
            accepting = asyncio.create_task(accept(listener, server), name="model gate")
            try:
                yield
            finally:
                accepting.cancel()
                await asyncio.wait([accepting])
                listener.close()
                await server.shutdown(0.1)

    async def _handle(
        self, client: "aiohttp.ClientSession", request: "web.BaseRequest"
    ) -> "web.StreamResponse":
        """Answer one request; whatever is wrong with it becomes a refusal that is told inside and outside."""
        from aiohttp import web

        try:
            path = admit(self.rule, request.method, request.raw_path, request.headers.items())
            body = await body_of(request, BODY_BYTES)
            asked = read(body)
            if self._together >= TOGETHER:
                raise GateRefusalError("gate_busy", f"no more than {TOGETHER} calls at a time", 429)
            counted = path in SHAPES[self.upstream.protocol].COUNTED
            if counted:
                self.meter.check()
            built = SHAPES[self.upstream.protocol].rebuild(path, asked, self._pin())
        except GateRefusalError as refusal:
            await self._refuse(request, refusal)
            error = {"type": "permission_error", "code": refusal.code, "message": refusal.detail}
            return web.json_response(
                {"type": "error", "error": error}, status=refusal.status, headers={"connection": "close"}
            )
        data = json.dumps(built).encode()
        longest = next((int(built[each]) for each in _BOUNDS if each in built), 0)
        # Between the check above and this line nothing waits, so two calls cannot pass on the same last turn.
        count = Count(self.meter, len(data), longest) if counted else None
        self._together += 1
        try:
            await self.tell(Decision(allowed=True, what=f"POST {self.upstream.base}{path}"))
            return await self._ask(client, request, path, data, count)
        finally:
            self._together -= 1

    def _pin(self) -> Pin:
        room = self.meter.room
        return (
            self.pin if room is None else replace(self.pin, max_tokens=min(self.pin.max_tokens, max(1, room)))
        )

    async def _refuse(self, request: "web.BaseRequest", refusal: GateRefusalError) -> None:
        """Tell of a refusal, as many times as somebody would read it."""
        if refusal.code == "gate_budget":
            self.spent.set()
        self._refusals += 1
        if self._refusals <= _REFUSALS_TOLD:
            target = one_line(f"{request.method} {request.raw_path}", 200)
            await self.tell(Decision(allowed=False, what=f"{target}: {refusal.detail}", code=refusal.code))

    async def _ask(
        self,
        client: "aiohttp.ClientSession",
        request: "web.BaseRequest",
        path: str,
        data: bytes,
        count: Count | None,
    ) -> "web.StreamResponse":
        import aiohttp
        from aiohttp import web

        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        headers |= dict(SHAPES[self.upstream.protocol].HEADERS) | self.rule.header()
        answered = False
        try:
            async with client.post(
                f"{self.upstream.base}{path}",
                data=data,
                headers=headers,
                ssl=self.upstream.trust,
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    return await self._refusal(response, count)
                answered = True
                return await self._pass(request, response, count)
        except (aiohttp.ClientError, TimeoutError) as error:
            if count is not None and not answered:
                count.cancel()
            self.trouble = Trouble("model_unreachable", unanswered(self.upstream.base, error))
            if answered:
                if request.transport is not None:
                    request.transport.abort()  # half an answer must not look like a whole one
                raise
            gone = {
                "type": "api_error",
                "code": "model_unreachable",
                "message": "the model cannot be reached",
            }
            return web.json_response({"type": "error", "error": gone}, status=502)

    async def _pass(
        self, request: "web.BaseRequest", response: "aiohttp.ClientResponse", count: Count | None
    ) -> "web.StreamResponse":
        """Pass an answer in as it comes, without the owner's key, counting it; what is too long is broken off."""
        from aiohttp import web

        streams = response.content_type == "text/event-stream"
        back = web.StreamResponse(
            headers={"content-type": "text/event-stream" if streams else "application/json"}
        )
        whole, document, size = False, bytearray(), 0
        try:
            await back.prepare(request)
            async for piece in redacting(response.content.iter_any(), self.rule.secret):
                size += len(piece)
                if size > ANSWER_BYTES:
                    raise TimeoutError("the answer has no end")
                if count is not None:
                    count.take(piece) if streams else document.extend(piece)
                await back.write(piece)
            whole = True
            await back.write_eof()
        finally:
            if count is not None:
                count.take_document(bytes(document))
                count.settle(whole=whole)
                failed = redacted(count.error, self.rule.secret) if whole else "the answer broke off"
                self.trouble = Trouble("model_refused", failed) if failed else Trouble()
        return back

    async def _refusal(self, response: "aiohttp.ClientResponse", count: Count | None) -> "web.StreamResponse":
        """Say inside that the endpoint refused; what it says about the key stays outside."""
        from aiohttp import web

        if count is not None:
            count.cancel()
        said = (await response.content.read(_SAID_BYTES)).decode("utf-8", "replace")
        said = redacted(said, self.rule.secret)
        shown = one_line(said)
        code = {401: "model_key_refused", 403: "model_key_refused", 404: "model_unknown", 429: "model_busy"}
        detail = f"{self.upstream.base} answered {response.status}: {shown or 'nothing'}"
        self.trouble = Trouble(code.get(response.status, "model_refused"), detail)
        message = _REFUSED_KEY if response.status in _HIDDEN else shown or "refused"
        after = response.headers.get("retry-after", "")
        status = response.status if 400 <= response.status < 600 else 502
        return web.json_response(
            {"type": "error", "error": {"type": "api_error", "code": self.trouble.code, "message": message}},
            status=status,
            headers={"retry-after": after} if after.isascii() and after.isdigit() else {},
        )
