"""The bytes of blobs on the broker's disk: begun under their depositor, whole under their address.

Nothing is read into memory: pieces go to the disk as they come, in a thread. A file gets its final name only when its
bytes hash to it, so whatever lies under an address is that blob, after any crash. Files that no row of the store speaks
of any more are swept away later, and so a crash between the two leaves at most some bytes too many for a while.
"""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterable, Callable, Iterator
from pathlib import Path

from dispatch_broker.core.quota import Usage
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest, Genesis

_GATHER_BYTES = 256 * 1024
_UNFINISHED_MS = 3_600_000  # how long a blob that was begun may be finished
_YOUNG_MS = 60_000  # a file that has just come may not have its row yet
_SWEEP_BATCH = 2_000


class BlobFiles:
    """Files below one directory; `begun` ones are counted for each depositor."""

    def __init__(self, place: Path) -> None:
        self._whole, self._begun = place / "whole", place / "begun"
        for directory in (place, self._whole, self._begun):
            directory.mkdir(mode=0o700, exist_ok=True)
        self._busy: set[Path] = set()
        self._sweeping: Iterator[Path] = iter(())

    def whole(self, address: Digest) -> Path:
        """Return where the bytes of a blob lie once they are whole."""
        return self._whole / address.hex[:2] / address.hex

    def begun(self, address: Digest, depositor: Genesis) -> Path:
        """Return where the bytes of a blob gather while its depositor leaves them."""
        return self._begun / depositor.hex / address.hex

    def offset(self, address: Digest, depositor: Genesis) -> int:
        """Return how many bytes of a blob its depositor has left so far."""
        with contextlib.suppress(OSError):
            return self.begun(address, depositor).stat().st_size
        return 0

    def unfinished(self, depositor: Genesis, besides: Digest) -> Usage:
        """Return what a depositor has begun and not finished, one blob left out."""
        sizes: list[int] = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self._begun / depositor.hex) as found:
            sizes = [entry.stat().st_size for entry in found if entry.name != besides.hex]
        return Usage(len(sizes), sum(sizes))

    def writers(self, depositor: Genesis) -> int:
        """Return how many blobs a depositor is leaving right now."""
        return sum(path.parent.name == depositor.hex for path in self._busy)

    def is_busy(self, address: Digest, depositor: Genesis) -> bool:
        """Whether this very blob is being left right now."""
        return self.begun(address, depositor) in self._busy

    async def append(
        self, address: Digest, depositor: Genesis, pieces: AsyncIterable[bytes], *, room_bytes: int
    ) -> int:
        """Put pieces after what was left before, at most `room_bytes` of them; returns the size there is now.

        What has come stays, also when the other side goes away in the middle. One writer at a time: `is_busy`.
        """
        path = self.begun(address, depositor)
        self._busy.add(path)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                return await _gather(descriptor, pieces, room_bytes)
            finally:
                os.close(descriptor)
        finally:
            self._busy.discard(path)

    async def finish(self, address: Digest, depositor: Genesis) -> bool:
        """Give whole bytes their name, durably; False if they are not what the address says: then they are gone."""
        path = self.begun(address, depositor)
        self._busy.add(path)
        try:
            return await asyncio.to_thread(_settle, path, self.whole(address), address)
        finally:
            self._busy.discard(path)

    async def sweep(self, known: Callable[[Digest], bool], now_ms: int) -> int:
        """Remove files that nobody is owed any more, a batch at a time; returns how many went.

        `known` says whether the store speaks of an address; what is younger than a minute is left alone.
        """
        found = await asyncio.to_thread(self._next_files)
        gone = 0
        for path in found:
            limit_ms = _YOUNG_MS
            if path.parent.parent == self._begun:
                limit_ms = _UNFINISHED_MS
            elif (address := _address(path.name)) is not None and known(address):
                continue
            if path not in self._busy and await asyncio.to_thread(_remove_old, path, now_ms - limit_ms):
                gone += 1
        return gone

    def _next_files(self) -> list[Path]:
        """Return the next batch of all files, round after round."""
        batch: list[Path] = []
        for path in self._sweeping:
            batch.append(path)
            if len(batch) >= _SWEEP_BATCH:
                return batch
        self._sweeping = _files(self._begun, self._whole)
        return batch


async def _gather(descriptor: int, pieces: AsyncIterable[bytes], room_bytes: int) -> int:
    held = bytearray()
    try:
        async for piece in pieces:
            room_bytes -= len(piece)
            if room_bytes < 0:
                break
            held += piece
            if len(held) >= _GATHER_BYTES:
                await asyncio.to_thread(_write, descriptor, bytes(held))
                held.clear()
    finally:
        _write(descriptor, bytes(held))
    return os.fstat(descriptor).st_size


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _settle(begun: Path, whole: Path, address: Digest) -> bool:
    with begun.open("rb") as file:
        if hashlib.file_digest(file, "sha256").digest() != address.raw:
            begun.unlink()
            return False
        os.fsync(file.fileno())
    whole.parent.mkdir(mode=0o700, exist_ok=True)
    begun.replace(whole)
    for directory in (whole.parent, whole.parent.parent):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return True


def _files(*roots: Path) -> Iterator[Path]:
    for root in roots:
        for directory in sorted(root.iterdir()):
            yield from sorted(directory.iterdir())


def _address(name: str) -> Digest | None:
    try:
        return Digest.from_hex(name)
    except MalformedError:
        return None


def _remove_old(path: Path, before_ms: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_mtime_ns // 1_000_000 < before_ms:
            path.unlink()
            return True
    return False
