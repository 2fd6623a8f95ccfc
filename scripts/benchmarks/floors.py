"""What the machine alone costs: the floors under everything else, each measured in the place where it will matter."""

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from aiohttp import WSMsgType, web
from websockets.sync.client import connect

from benchmarks.figure import Sheet, repeat, timed
from benchmarks.sizes import Sizes
from dispatch_protocol import hpke
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.signing import sign, verify
from sandbox.changes.beneath import sync_file_system

_BODY_BYTES = 1_024
_TYPE = "application/vnd.dispatch.benchmark"
_BATCH = 10  # acts of microseconds are timed together


def measure(sheet: Sheet, sizes: Sizes, place: Path) -> None:
    """Measure every floor below `place`, the directory in which the programs will work, too."""
    _processes(sheet, sizes)
    _disk(sheet, sizes, place)
    _cryptography(sheet, sizes)
    _loopback(sheet, sizes)
    for count in sizes.files:
        _copies(sheet, count, place)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _processes(sheet: Sheet, sizes: Sizes) -> None:
    bare = repeat(lambda: _run(sys.executable, "-I", "-c", "pass"), sizes.starts)
    sheet.note_times("python", "a bare Python starts and ends", bare)
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise FileNotFoundError("bubblewrap is not installed")
    walled = (bwrap, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "--", "true")
    sheet.note_times("bwrap", "bubblewrap runs `true`", repeat(lambda: _run(*walled), sizes.starts))
    sheet.note_times("bash", "Bash runs `true`", repeat(lambda: _run("bash", "-c", "true"), sizes.starts))


def _disk(sheet: Sheet, sizes: Sizes, place: Path) -> None:
    page = bytes(4_096)
    descriptor = os.open(place / "flushed", os.O_WRONLY | os.O_CREAT)

    def flush() -> None:
        os.write(descriptor, page)
        os.fdatasync(descriptor)

    sheet.note_times("fdatasync", "4 KiB more on the disk (fdatasync)", repeat(flush, sizes.small))
    os.close(descriptor)
    with closing(sqlite3.connect(place / "floor.db", isolation_level=None)) as database:
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body BLOB)")
        row = bytes(_BODY_BYTES)

        def commit() -> None:
            database.execute("INSERT INTO rows (body) VALUES (?)", (row,))

        words = "one row of 1 KiB durable in SQLite (WAL, full sync)"
        sheet.note_times("commit", words, repeat(commit, sizes.small))


def _cryptography(sheet: Sheet, sizes: Sizes) -> None:
    """Measure the four acts of a delivery on one KiB, each in microseconds."""
    author, reader = SigningKey(bytes(31) + b"1"), SealingKey(bytes(31) + b"2")
    body, ephemeral = bytes(_BODY_BYTES), SealingKey(bytes(31) + b"3")
    signed = sign(author, _TYPE, body)
    sealed = hpke.seal_base(reader.public, body, info=b"floor", aad=b"", ephemeral=ephemeral)
    acts = {
        "sign": lambda: sign(author, _TYPE, body),
        "verify": lambda: verify(author.device, signed),
        "seal": lambda: hpke.seal_base(reader.public, body, info=b"floor", aad=b"", ephemeral=ephemeral),
        "open": lambda: hpke.open_base(reader, sealed, info=b"floor", aad=b""),
    }
    for name, act in acts.items():
        batches = repeat(lambda act=act: [act() for _ in range(_BATCH)], sizes.small)  # type: ignore[misc]  # a lambda's default has no type of its own
        sheet.note(name, f"{name} 1 KiB", "µs", [batch / _BATCH * 1e6 for batch in batches])
    together = sum(sheet.figures[name].value for name in acts)
    sheet.note("cryptography", "the four together", "µs", [together])


def _loopback(sheet: Sheet, sizes: Sizes) -> None:
    """Measure one KiB to another process and back, over a WebSocket without compression."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        echo = subprocess.Popen(
            [sys.executable, "-m", "scripts.benchmarks.floors", str(listener.fileno())],
            pass_fds=[listener.fileno()],
        )
    try:
        with connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as wire:
            body = bytes(_BODY_BYTES)

            def there_and_back() -> None:
                wire.send(body)
                wire.recv()

            words = "1 KiB there and back over a WebSocket on loopback"
            sheet.note_times("loopback", words, repeat(there_and_back, sizes.small))
    finally:
        echo.terminate()
        echo.wait()


def _copies(sheet: Sheet, count: int, place: Path) -> None:
    """Measure a plain copy of so many files of one line each into one directory, durable at its end."""
    source = place / "plain"
    source.mkdir()
    for number in range(count):
        (source / f"{number}.txt").write_text(f"line {number}\n")
    taken_s: list[float] = []
    for turn in range(3):
        target = place / f"plain-{turn}"
        with timed(taken_s):
            shutil.copytree(source, target)
            descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
            sync_file_system(descriptor)
            os.close(descriptor)
        shutil.rmtree(target)
    shutil.rmtree(source)
    words = f"a plain copy of {count:,} files, one flush at its end"
    sheet.note(f"copy_{count}", words, "ms", [taken * 1000 for taken in taken_s])


async def _echo(descriptor: int) -> None:
    """Answer every message with itself, on the server that the broker uses."""

    async def answer(request: web.Request) -> web.WebSocketResponse:
        wire = web.WebSocketResponse(compress=False)
        await wire.prepare(request)
        async for message in wire:
            if message.type is WSMsgType.BINARY:
                await wire.send_bytes(message.data)
        return wire

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, socket.socket(fileno=descriptor)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_echo(int(sys.argv[1])))
