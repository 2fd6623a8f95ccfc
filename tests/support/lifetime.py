"""One life of a real daemon in the test's own loop, and its door: no process has to be waited for."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.keystore import open_keystore
from dispatch_daemon.adapters.settings import load_settings
from dispatch_daemon.app.daemon import Daemon
from tests.support.door_client import DoorClient, Reply
from tests.support.patience import eventually


@dataclass(frozen=True)
class Door:
    """A daemon's door, reached over its socket; the port only stands in the Host of a request."""

    socket: Path
    port: int = 0

    async def ask(self, method: str, target: str, body: Any = None) -> Reply:
        """Ask for something and return the answer, whatever it is."""
        client = DoorClient(self, None)  # type: ignore[arg-type] - it needs no more of a door than this
        return await client.ask(method, target, body, unix=True)

    async def do(self, method: str, target: str, body: Any = None) -> Any:
        """Ask for something that must be granted."""
        reply = await self.ask(method, target, body)
        assert reply.status < 300, f"{method} {target}: {reply.status} {reply.body!r}"
        return reply.value


class Lifetime:
    """A daemon of one home; it may be started again after it has been stopped."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.door = Door(home / "daemon.sock")
        self._daemon: Daemon | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait until its door is open."""
        self.door.socket.unlink(missing_ok=True)
        settings = load_settings(self.home, flags={"local_port": 0}, environ={"DISPATCH_KEY_BACKEND": "file"})
        self._daemon = Daemon(self.home, settings, open_keystore(self.home, settings.key_backend))
        self._running = running = asyncio.create_task(self._daemon.run())
        await eventually(lambda: self.door.socket.exists() or running.done())
        if running.done():
            running.result()

    async def stop(self) -> None:
        """End it in order."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None and self._running is not None:
            daemon.stop()
            await self._running

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let the journal grow no further for the length of a block."""
        assert self._daemon is not None
        database = self._daemon._journal.database
        ((pages,),) = database.read("PRAGMA page_count")
        database.read(f"PRAGMA max_page_count = {pages}")
        try:
            yield
        finally:
            database.read("PRAGMA max_page_count = 1073741823")
