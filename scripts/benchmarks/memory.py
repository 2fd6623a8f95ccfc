"""What idle programs hold in memory: a daemon, a broker, and a broker with many quiet sessions."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time

import uvloop

from benchmarks.figure import Sheet
from benchmarks.programs import MeasuredBroker, Pair, resident_mb
from benchmarks.sizes import Sizes
from tests.support.device import Device
from tests.support.neighbourhood import Program

_SETTLE_S = 1.0  # nothing is waited for: this is how long "idle" lasts before it is looked at
_AT_ONCE = 16


def measure(sheet: Sheet, sizes: Sizes, pair: Pair) -> None:
    """Measure the programs of a pair, one daemon after some use and started anew; then open sessions of strangers."""
    sheet.note("memory_python", "this Python, nothing imported", "MB", [_bare_mb()])
    _note(sheet, "broker", "a broker with two sessions", pair.broker)
    _note(sheet, "used_daemon", "a daemon after signing in and accepting an invitation", pair.bob.daemon)
    pair.bob.daemon.stop()
    pair.bob.daemon.start()
    while pair.bob.do("daemon", "status")["broker"]["state"] != "online":
        time.sleep(0.01)
    _note(sheet, "daemon", "a daemon that was started and is online", pair.bob.daemon)
    growth = uvloop.run(_sessions(pair.broker, sizes.sessions))
    words = f"more in the broker for 1,000 idle sessions (of {sizes.sessions:,} opened)"
    sheet.note("memory_sessions", words, "MB", [growth * 1000 / sizes.sessions])


def _note(sheet: Sheet, name: str, words: str, program: Program) -> None:
    if program.process is None:
        raise ProcessLookupError(name)
    sheet.note(f"memory_{name}", words, "MB", [resident_mb(program.process.pid)], floor="memory_python")


def _bare_mb() -> float:
    """Return what a bare interpreter holds, read by itself."""
    read = "print(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1])"
    said = subprocess.run([sys.executable, "-I", "-c", read], check=True, capture_output=True, text=True)
    return int(said.stdout) * 1024 / 1e6


async def _sessions(broker: MeasuredBroker, count: int) -> float:
    """Open so many sessions, each of another person, and return by how many MB the broker grew."""
    if broker.process is None:
        raise ProcessLookupError("broker")
    before_mb = resident_mb(broker.process.pid)
    turn = asyncio.Semaphore(_AT_ONCE)
    async with contextlib.AsyncExitStack() as opened:

        async def open_one(number: int) -> None:
            async with turn:
                await opened.enter_async_context(Device(f"idle-{os.getpid()}-{number}").signed_in(broker.url))

        await asyncio.gather(*(open_one(number) for number in range(count)))
        await asyncio.sleep(_SETTLE_S)
        if await asyncio.to_thread(broker.counted, "sessions") < count:
            raise RuntimeError("not every session stayed open")
        return resident_mb(broker.process.pid) - before_mb
