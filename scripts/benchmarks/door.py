"""A caller at a daemon's door that costs as little as possible, so that what is measured is the daemon."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Self

from dispatch_protocol import loopback


class Caller:
    """One kept connection to the door of a home; one request at a time."""

    def __init__(self, home: Path) -> None:
        self._path = loopback.socket_path(str(home))
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_unix_connection(self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()

    async def send(self, recipient: str, task: str) -> str:
        """Send a dispatch and return its id once the daemon has answered."""
        body = json.dumps({"recipient": recipient, "task": task}).encode()
        head = (
            "POST /v1/dispatches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.decode("latin-1").lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        content: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        if " 201 " not in lines[0] + " ":
            raise RuntimeError(f"the daemon refused a dispatch: {content}")
        return str(content["dispatch_id"])


class Watcher:
    """Sees what comes into an inbox at the moment when its daemon shows it."""

    def __init__(self, home: Path) -> None:
        self._path = loopback.socket_path(str(home))
        self._seen: dict[str, asyncio.Future[float]] = {}
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        """Open the stream and wait for the present state."""
        reader, self._writer = await asyncio.open_unix_connection(self._path, limit=1 << 24)
        self._writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        await reader.readuntil(b"\n\n")
        self._task = asyncio.create_task(self._watch(reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        self._writer.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def seen(self, dispatch_id: str) -> "asyncio.Future[float]":
        """Return what will be the time, on `time.perf_counter`, when a dispatch was first shown."""
        return self._seen.setdefault(dispatch_id, asyncio.get_running_loop().create_future())

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        while True:
            line = await reader.readuntil(b"\n")
            now_s = time.perf_counter()
            if not line.startswith(b"data: "):
                continue
            told = json.loads(line[6:])
            if told.get("type") == "dispatch":
                future = self.seen(told["dispatch"]["dispatch_id"])
                if not future.done():
                    future.set_result(now_s)
