"""A small real reverse proxy: it passes requests and WebSockets on, and says in `X-Forwarded-For` who asked.

It may keep a record of everything that passed: who owns such a machine sees what a test wants to know. It may give the whole
host to others and pass on what stands below one path alone, without that path.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


@dataclass
class Record:
    """What passed: the address of each request as it was asked for, its headers, and every body and message."""

    asked: list[str] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)


_OWN = {"host", "connection", "upgrade", "transfer-encoding", "content-length", "keep-alive"}


@contextlib.asynccontextmanager
async def reverse_proxy(
    listener: socket.socket, upstream: str, record: Record | None = None, prefix: str = ""
) -> AsyncIterator[str]:
    """Serve on a bound socket for the length of a block; yields the address that people use."""
    seen = record or Record()
    async with aiohttp.ClientSession(auto_decompress=False) as client:

        async def handle(request: web.Request) -> web.StreamResponse:
            headers = [
                (name, value)
                for name, value in request.headers.items()
                if name.lower() not in _OWN and not name.lower().startswith("sec-websocket")
            ]
            forwarded = [value for name, value in headers if name.lower() == "x-forwarded-for"]
            headers = [(name, value) for name, value in headers if name.lower() != "x-forwarded-for"]
            seen.asked.append(request.raw_path)
            if not request.raw_path.startswith(f"{prefix}/"):
                return web.Response(status=404, text="this host is somebody else's")
            target = upstream + request.raw_path.removeprefix(prefix)
            seen.headers.extend(headers)
            headers.append(("X-Forwarded-For", ", ".join([*forwarded, request.remote or ""])))
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await _joined(client, request, target, headers, seen)
            body = await request.read()
            async with client.request(
                request.method,
                target,
                headers=headers,
                data=body,
                allow_redirects=False,
            ) as answer:
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OWN]
                response = web.Response(status=answer.status, body=await answer.read())
                for name, value in kept:
                    response.headers[name] = value
                seen.headers.extend(kept)
                seen.said += [body, await answer.read()]
                return response

        runner = web.ServerRunner(web.Server(handle))  # type: ignore[arg-type] # it gets requests of this kind
        await runner.setup()
        await web.SockSite(runner, listener).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{prefix}"
        finally:
            await runner.cleanup()


async def _joined(
    client: aiohttp.ClientSession,
    request: web.Request,
    target: str,
    headers: list[tuple[str, str]],
    seen: Record,
) -> web.StreamResponse:
    """Pass the messages of a WebSocket on, both ways, until either side ends it."""
    async with client.ws_connect(target, headers=headers, max_msg_size=0) as inner:
        outer = web.WebSocketResponse(compress=False, max_msg_size=0)
        await outer.prepare(request)

        async def passed(source, sink) -> None:  # type: ignore[no-untyped-def] # either kind of socket
            async for message in source:
                seen.said.append(message.data)
                await sink.send_bytes(message.data)
            await sink.close()

        await asyncio.gather(passed(outer, inner), passed(inner, outer))
        return outer
