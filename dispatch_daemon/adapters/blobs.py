"""Sealed files in the home: those to be sent and those that came, each under its address, as the relay has them too.

Clear bytes never lie here: a file is sealed while it is handed over and opened into the run that may see it. What comes
gathers under a name of its own and gets its address only after it has passed the whole list of the protocol, so whatever
lies under an address may be used, after any crash.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterable, AsyncIterator, Container, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from dispatch_daemon.core.attachments import safe_names
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import FileRecord
from dispatch_protocol.blob import Sealing, check_sealed, open_blob, sealed_size
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.files import KEY_BYTES, Blob, File

_PIECE_BYTES: Final = 256 * 1024
_PART: Final = ".part"
_DAY_S: Final = 86_400


class BlobStore:
    """One home's sealed files; `file_bytes` is the largest file that is taken, in or out."""

    def __init__(self, home: Path, *, file_bytes: int) -> None:
        self._place = home / "blobs"
        self.file_bytes = file_bytes

    def path(self, address: str) -> Path:
        """Return where a sealed file lies, or would."""
        return self._place / address

    def part(self, address: str) -> Path:
        """Return where the bytes of a file gather that is on its way here."""
        return self._place / f"{address}{_PART}"

    def has(self, file: File) -> bool:
        """Whether a file is here, whole and checked."""
        return file.blob is not None and self.path(file.blob.address.hex).is_file()

    async def keep(self, pieces: AsyncIterable[bytes], *, now_ms: int) -> FileRecord:
        """Seal a file under a fresh key while it comes; when this returns it is on the disk.

        Raises:
            ServiceError: `file_too_large`, `disk_full`. Then nothing is left of it.
        """
        key = os.urandom(KEY_BYTES)
        beside = self._made() / f"{os.urandom(8).hex()}{_PART}"
        try:
            size, clear, sealed = await self._seal(key, pieces, beside)
            address = sealed.hexdigest()
            await asyncio.to_thread(_settle, beside, self.path(address))
        except OSError as error:
            raise ServiceError("disk_full", f"the file cannot be kept: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
        return FileRecord(
            file_id=address, key=key, size_bytes=size, sha256=clear.hexdigest(), created_ms=now_ms
        )

    async def keep_path(self, path: Path, sha256: str, now_ms: int) -> Blob | None:
        """Seal a file of ours; None if it is too large, gone, or not the one of that digest."""
        try:
            record = await self.keep(_pieces(path), now_ms=now_ms)
        except (FileNotFoundError, ServiceError):
            return None
        return Blob(Digest.from_hex(record.file_id), record.key) if record.sha256 == sha256 else None

    async def _seal(
        self, key: bytes, pieces: AsyncIterable[bytes], beside: Path
    ) -> "tuple[int, hashlib._Hash, hashlib._Hash]":
        sealing, size = Sealing(key), 0
        clear, sealed = hashlib.sha256(), hashlib.sha256()
        with _new(beside) as file:
            async for piece in pieces:
                size += len(piece)
                if size > self.file_bytes:
                    raise ServiceError(
                        "file_too_large", f"the file has more than the {self.file_bytes:,} bytes of the limit"
                    )
                clear.update(piece)
                chunk = sealing.feed(piece)
                sealed.update(chunk)
                file.write(chunk)
            chunk = sealing.finish()
            sealed.update(chunk)
            file.write(chunk)
        return size, clear, sealed

    async def take_in(self, file: File) -> None:
        """Give a file that has come its name, if it passes the list.

        Raises:
            RefusedError: the code of the step that it fails. Its bytes are gone; `blob_size` and `blob_address` are
                the relay's fault, and they may be fetched again.
        """
        await asyncio.to_thread(self._take_in, file)

    def _take_in(self, file: File) -> None:
        assert file.blob is not None  # noqa: S101 - only files with a place are fetched
        part = self.part(file.blob.address.hex)
        try:
            check_sealed(file.blob, file.size_bytes, _read(part))
            for _ in open_blob(file.blob, file.size_bytes, file.sha256, _read(part)):
                pass
        except RefusedError:
            part.unlink(missing_ok=True)
            raise
        _settle(part, self.path(file.blob.address.hex))

    def unpack(self, files: Sequence[File], directory: Path) -> None:
        """Open files into a new directory, read-only, under names that deceive nobody; blocks, so use a thread.

        Raises:
            RefusedError: one is not (any more) what was signed; nothing is left in the directory then.
            OSError: one is not there, or there is no room.
        """
        directory.mkdir(mode=0o700)
        for file, name in zip(files, safe_names(files), strict=True):
            if file.blob is None:
                continue
            target = directory / name
            try:
                with _new(target) as out:
                    sealed = _read(self.path(file.blob.address.hex))
                    for clear in open_blob(file.blob, file.size_bytes, file.sha256, sealed):
                        out.write(clear)
            except (RefusedError, OSError):
                target.unlink(missing_ok=True)
                raise
            target.chmod(0o444)
        directory.chmod(0o555)

    async def unpack_once(self, files: Sequence[File], directory: Path) -> None:
        """Open those files that are here into a directory that has all of them or does not exist; raises like `unpack`."""
        here = [file for file in files if self.has(file)]
        if not here or directory.is_dir():
            return
        beside = directory.with_name(f"{directory.name}-{os.urandom(4).hex()}")
        beside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            await asyncio.to_thread(self.unpack, here, beside)
            with contextlib.suppress(OSError):  # somebody else asked for the same at the same time
                beside.rename(directory)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def missing_bytes(self, file: File) -> int:
        """Return how many sealed bytes of a file have still to come; a part that is too long begins anew."""
        assert file.blob is not None  # noqa: S101 - only files with a place are fetched
        part = self.part(file.blob.address.hex)
        whole = sealed_size(file.size_bytes)
        have = part.stat().st_size if part.is_file() else 0
        if have > whole:
            part.unlink()
            have = 0
        return whole - have

    def open_part(self, address: str) -> int:
        """Open the place where a file gathers for appending; the caller closes the descriptor."""
        self._made()
        return os.open(self.part(address), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def sweep(self, wanted: Container[str]) -> int:
        """Remove what is not wanted any more and is older than a day; returns how many files went."""
        gone = 0
        with contextlib.suppress(FileNotFoundError), os.scandir(self._place) as found:
            for entry in found:
                old = time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY_S
                if old and entry.name.removesuffix(_PART) not in wanted:
                    os.unlink(entry.path)
                    gone += 1
        return gone

    def _made(self) -> Path:
        self._place.mkdir(mode=0o700, exist_ok=True)
        return self._place


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _settle(beside: Path, path: Path) -> None:
    """Give a file its name, durably."""
    descriptor = os.open(beside, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
