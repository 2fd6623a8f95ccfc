"""Whoever owns the machine between people and their broker, and the one on which they work: sees every word and every process."""

import asyncio
import json
import re
import socket
import threading
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

from tests.support.reverse_proxy import Record, reverse_proxy

_SECRET_FIELDS = ("device_code", "code", "access_token", "token")
_MAILED = re.compile(r"[0-9]{4} ?[0-9]{4}")  # a refusal has a `code` too
_LOOK_S = 0.05
_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}")


class Onlooker:
    """A reverse proxy before a broker, in a thread of its own, that keeps all that passes, and looks at all processes."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.record = Record()
        self.processes: set[bytes] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{prefix}"
        self._upstream = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._serve), threading.Thread(target=self._watch)]

    def begin(self, upstream: str) -> None:
        """Pass everything on to this broker from now on."""
        self._upstream = upstream
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._upstream:
            self._loop.call_soon_threadsafe(self._stop.set)
            for thread in self._threads:
                thread.join()
        self._loop.close()
        self._listener.close()

    def secrets(self) -> dict[str, set[bytes]]:
        """Return what passed and must stand nowhere else, by what it is called."""
        found: dict[str, set[bytes]] = {name: set() for name in (*_SECRET_FIELDS, "cookie")}
        for said in list(self.record.said):
            found["token"] |= set(_TOKEN.findall(said))
            for name, value in _fields(said).items():
                if name in found and isinstance(value, str) and (name != "code" or _MAILED.fullmatch(value)):
                    found[name].add(value.encode())
        for name, value in list(self.record.headers):
            if name.lower() in {"set-cookie", "cookie"}:
                found["cookie"].add(value.partition(";")[0].partition("=")[2].strip('"').encode())
        return {name: {value for value in values if value} for name, values in found.items()}

    def _serve(self) -> None:
        async def serve() -> None:
            async with reverse_proxy(self._listener, self._upstream, self.record, self._prefix):
                await self._stop.wait()

        self._loop.run_until_complete(serve())

    def _watch(self) -> None:
        """Look at what everybody can see of each process, again and again."""
        while not self._ended.wait(_LOOK_S):
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.processes.add(place.read_bytes())
                except OSError:
                    continue


def _fields(said: bytes) -> dict[str, Any]:
    """Read a body, whichever way it is written; what is neither has no fields."""
    try:
        value = json.loads(said)
    except ValueError:
        try:
            return dict(parse_qsl(said.decode("ascii")))
        except UnicodeDecodeError:
            return {}
    return value if isinstance(value, dict) else {}
