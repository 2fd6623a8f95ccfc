"""Server-sent events: the whole present state first, then what changes, to watchers who keep up.

The daemon never waits for a watcher. Each has a bounded queue; one that falls behind gets what is queued, is told so
by a last `dropped` event, and reconnects to a fresh snapshot, which is cheaper than any catching up. Comment lines
tell both sides that the connection lives.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from aiohttp import web

from dispatch_daemon.adapters.loopback.exchange import SECURITY_HEADERS
from dispatch_daemon.ports import JsonObject, ServiceError, Update

_log = logging.getLogger(__name__)

QUEUE_EVENTS: Final = 256
PING_S: Final = 15.0
WRITE_TIMEOUT_S: Final = 10.0
_PING: Final = b": still here\n\n"


class Watchers:
    """Everybody who watches; `close` lets them go when the door closes."""

    def __init__(self, *, ping_s: float = PING_S, write_timeout_s: float = WRITE_TIMEOUT_S) -> None:
        self._ping_s = ping_s
        self._write_timeout_s = write_timeout_s
        self._queues: set[asyncio.Queue[bytes | None]] = set()

    def close(self) -> None:
        """End every stream after what is queued for it."""
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(None)

    def look_again(self) -> None:
        """Let every stream see at once whether its watcher may still read."""
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(_PING)

    async def serve(
        self,
        request: web.BaseRequest,
        updates: AsyncIterator[Update],
        may_read: Callable[[web.BaseRequest], bool],
    ) -> web.StreamResponse:
        """Stream updates until the watcher leaves, falls behind, may read no more, or the door closes.

        The first update is awaited before anything is answered, so that a refusal is still a problem document.
        """
        first = await anext(updates, None)
        if first is None:
            raise ServiceError("draining", "The daemon is stopping.")
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_EVENTS)
        queue.put_nowait(b"retry: 1000\n" + _spelled(first.kind, first.data))
        response = web.StreamResponse(headers={**SECURITY_HEADERS, "Content-Type": "text/event-stream"})
        pump = asyncio.create_task(_pump(updates, queue), name="door-watcher")
        self._queues.add(queue)
        try:
            await response.prepare(request)
            await self._drain(queue, response, lambda: may_read(request))
        except TimeoutError:
            _abort(request)
        finally:
            self._queues.discard(queue)
            pump.cancel()
            await asyncio.wait([pump])
            if isinstance(updates, AsyncGenerator):
                await updates.aclose()
        return response

    async def _drain(
        self,
        queue: "asyncio.Queue[bytes | None]",
        response: web.StreamResponse,
        may_read: Callable[[], bool],
    ) -> None:
        """Write what is queued, and a comment when nothing is; raises TimeoutError if the other side stops reading."""
        while True:
            try:
                async with asyncio.timeout(self._ping_s):
                    piece = await queue.get()
            except TimeoutError:
                piece = _PING
            if piece is None or not may_read():
                return
            async with asyncio.timeout(self._write_timeout_s):
                await response.write(piece)


async def _pump(updates: AsyncIterator[Update], queue: "asyncio.Queue[bytes | None]") -> None:
    """Move updates into the queue, which keeps two places for the words that end a stream."""
    try:
        async for update in updates:
            if queue.qsize() >= queue.maxsize - 2:
                queue.put_nowait(
                    _spelled(
                        "dropped", {"code": "watcher_slow", "detail": "Reconnect for the present state."}
                    )
                )
                break
            queue.put_nowait(_spelled(update.kind, update.data))
    except Exception:  # noqa: BLE001 - logged; the watcher's stream ends and it reconnects
        _log.exception("a watcher's stream broke off")
    if not queue.full():
        queue.put_nowait(None)


def _spelled(kind: str, data: JsonObject) -> bytes:
    """Spell one event (WHATWG HTML, section 9.2); JSON on one line needs no further escaping."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"event: {kind}\ndata: {text}\n\n".encode("utf-8", "replace")


def _abort(request: web.BaseRequest) -> None:
    """Cut a connection whose other side does not read; a polite end would wait for it too."""
    if request.transport is not None:
        request.transport.abort()
