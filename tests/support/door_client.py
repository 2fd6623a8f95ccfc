"""A client of the door that can misbehave: it writes any bytes and reads whole HTTP answers."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatch_daemon.adapters.loopback.server import Door

TOKEN = "the-token-of-this-door-and-of-no-other-one"


@dataclass(frozen=True)
class Reply:
    """One answer; `value` is its JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> Any:
        return self.value["code"]


class DoorClient:
    """Speaks to one door over TCP or its Unix socket, one connection a request unless told otherwise."""

    def __init__(self, door: Door, token: str | None) -> None:
        self._door = door
        self._token = token

    def head(self, method: str, target: str, **headers: str | None) -> str:
        """Return the head of a request as a browser of this door would send it; None removes a header."""
        chosen: dict[str, str | None] = {"Host": f"127.0.0.1:{self._door.port}", "Connection": "close"}
        if self._token is not None:
            chosen["Authorization"] = f"Bearer {self._token}"
        chosen |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in chosen.items() if value is not None]
        return "\r\n".join(lines) + "\r\n\r\n"

    async def ask(
        self,
        method: str,
        target: str,
        body: bytes | str | dict[str, Any] | list[Any] | None = None,
        *,
        unix: bool = False,
        **headers: str | None,
    ) -> Reply:
        """Send one request and read its answer."""
        data = (
            body
            if isinstance(body, bytes | None)
            else (body if isinstance(body, str) else json.dumps(body)).encode()
        )
        if data is not None:
            headers = {"Content_Type": "application/json", "Content_Length": str(len(data))} | headers
        raw = self.head(method, target, **headers).encode("utf-8", "surrogateescape") + (data or b"")
        return await self.send(raw, unix=unix)

    async def send(self, raw: bytes, *, unix: bool = False) -> Reply:
        """Send bytes as they are and read one answer."""
        reader, writer = await self.connect(unix=unix)
        try:
            writer.write(raw)
            reading = asyncio.ensure_future(read_reply(reader))
            with contextlib.suppress(ConnectionError):  # refused before all was read: the answer is there
                await writer.drain()
            return await reading
        finally:
            writer.close()

    async def connect(self, *, unix: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        if unix:
            return await asyncio.open_unix_connection(self._door.socket)
        return await asyncio.open_connection("127.0.0.1", self._door.port)


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Read one answer with a length, or the head alone of one without."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(lines[0].split()[1])
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])
    }
    if status == 100:
        return await read_reply(reader)
    length = int(headers.get("content-length", "0"))
    return Reply(status, headers, await reader.readexactly(length))
