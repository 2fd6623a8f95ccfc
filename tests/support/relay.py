"""Brokers for tests: one inside the test's own event loop, and one as the real program that a test may kill."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from dispatch_broker.adapters.settings import Settings
from dispatch_broker.app import Application, wall_clock_ms
from dispatch_broker.core.accounts import Signup, SignupMode

START_S = 20.0


class TestClock:
    """A clock that runs, and that a test may put forward."""

    __test__ = False

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return wall_clock_ms() + self.ahead_ms


@contextlib.asynccontextmanager
async def broker_here(
    data: Path, *, clock: Callable[[], int] = wall_clock_ms, **settings: Any
) -> AsyncIterator[Application]:
    """Serve a development broker from this event loop, with any of its settings changed."""
    chosen = {"signup": Signup(SignupMode.OPEN), "dev": True, **settings}
    async with Application(Settings(port=0, data=data, **chosen), clock=clock) as application:
        yield application


class BrokerProcess:
    """The real program, started anew as often as a test likes over the same data."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        self.url = ""
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._errors = data.parent / f"{data.name}.log"

    @property
    def log(self) -> str:
        """Everything that the program has written to standard error, over all its lives."""
        return self._errors.read_text(encoding="utf-8") if self._errors.exists() else ""

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    async def start(self, *, listen: str = "127.0.0.1:0") -> str:
        """Start it and wait for its one line; returns its URL."""
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "dispatch_broker", "serve", "--dev", "--listen", listen, "--data", str(self.data)),
                *self._arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await self._process.stdout.readline()
        assert line.startswith(b"listening on http://"), (line, self.log)
        self.url = line.decode().removeprefix("listening on ").strip()
        return self.url

    async def restart(self) -> str:
        """Start it again on the same port, as devices expect it."""
        return await self.start(listen=self.url.removeprefix("http://"))

    async def kill(self) -> None:
        """Kill it at once, in the middle of whatever it does."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def terminate(self) -> tuple[int, bytes]:
        """Ask it to stop; returns its exit code and what else it printed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(START_S):
            rest, _ = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, rest

    async def stop(self) -> None:
        """Make sure it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._process is not None:
            self._process._transport.close()  # type: ignore[attr-defined] # it still holds the pipes


@contextlib.asynccontextmanager
async def broker_process(data: Path, *arguments: str) -> AsyncIterator[BrokerProcess]:
    """Run the real program for the length of a block."""
    process = BrokerProcess(data, *arguments)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
