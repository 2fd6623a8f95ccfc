"""Which paths a Git repository tracks, read from its index file and nothing else.

Asking `git` itself would let the repository's configuration choose programs to run on this machine. The index
is a plain table (gitformat-index(5), versions 2 to 4) that can only be misread: an index that does not parse
tracks nothing here, so that ignored files stay behind and are listed, which harms nobody.
"""

import os
from bisect import bisect_left
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path

_MAX_BYTES = 256 * 1024 * 1024
_EXTENDED = 0x4000
_NAME_LENGTH = 0x0FFF
_CHECKSUMS = ((20, sha1), (32, sha256))


class _CorruptError(Exception):
    """The bytes are not an index of a known version."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """The tracked paths of one repository, relative to its top, as bytes, sorted."""

    names: tuple[bytes, ...] = ()

    def holds(self, path: bytes) -> bool:
        """Say whether the path itself is tracked, or lies in a directory that a sparse index folded up."""
        at = bisect_left(self.names, path)
        if at < len(self.names) and self.names[at] == path:
            return True
        return any(self._folded(path[:cut]) for cut in _slashes(path))

    def below(self, directory: bytes) -> bool:
        """Say whether anything below the directory is tracked."""
        prefix = directory + b"/"
        at = bisect_left(self.names, prefix)
        return at < len(self.names) and self.names[at].startswith(prefix)

    def _folded(self, directory: bytes) -> bool:
        at = bisect_left(self.names, directory + b"/")
        return at < len(self.names) and self.names[at] == directory + b"/"


def _slashes(path: bytes) -> list[int]:
    """Return the positions of the slashes in a path."""
    return [position for position, byte in enumerate(path) if byte == ord("/")]


def tracked(git_directory: Path) -> Tracked:
    """Return what the index in a repository's Git directory tracks; nothing when it cannot be read."""
    try:
        names, shared = _parse(_read(git_directory / "index"))
        if shared is not None:
            # A split index: entries that the main one changes or deletes count as tracked too. The union is
            # the safe reading, because a tracked file is applied under the human's eyes and not dropped.
            names += _parse(_read(git_directory / f"sharedindex.{shared.hex()}"))[0]
    except (OSError, _CorruptError):
        return Tracked()
    return Tracked(tuple(sorted(set(names))))


def _read(path: Path) -> bytes:
    """Return the bytes of an index file of bearable size."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > _MAX_BYTES:
            raise _CorruptError
        return file.read()


def _parse(data: bytes) -> tuple[list[bytes], bytes | None]:
    """Return the entries' names and the digest that names the shared index, if there is one."""
    version = int.from_bytes(data[4:8], "big")
    if data[:4] != b"DIRC" or version not in {2, 3, 4}:
        raise _CorruptError
    id_bytes = _id_bytes(data)
    end = len(data) - id_bytes
    names: list[bytes] = []
    at = 12
    previous = b""
    for _ in range(int.from_bytes(data[8:12], "big")):
        flags_at = at + 40 + id_bytes
        if flags_at + 2 > end:
            raise _CorruptError
        flags = int.from_bytes(data[flags_at : flags_at + 2], "big")
        name_at = flags_at + (4 if flags & _EXTENDED else 2)
        if version == 4:
            previous, at = _compressed_name(data, name_at, end, previous)
        else:
            previous, at = _padded_name(data, name_at, end, at, flags & _NAME_LENGTH)
        if previous:  # a split index leaves the name out where an entry only replaces a shared one
            names.append(previous)
    return names, _shared(data, at, end, id_bytes)


def _id_bytes(data: bytes) -> int:
    """Return the size of an object id: the one whose checksum the file ends with.

    The index does not name its hash. With `index.skipHash` the trailer is zero and says nothing; SHA-1 is
    then the likely one, and a wrong guess fails to parse.
    """
    for size, algorithm in _CHECKSUMS:
        if algorithm(data[:-size], usedforsecurity=False).digest() == data[-size:]:
            return size
    return 20


def _padded_name(data: bytes, at: int, end: int, entry_at: int, length: int) -> tuple[bytes, int]:
    """Return a name of versions 2 and 3 and where the next entry begins: NULs pad it to eight bytes."""
    stop = data.find(b"\0", at, end) if length == _NAME_LENGTH else at + length
    if stop < 0 or stop >= end or data[stop] != 0:
        raise _CorruptError
    return data[at:stop], entry_at + ((stop - entry_at) // 8 + 1) * 8


def _compressed_name(data: bytes, at: int, end: int, previous: bytes) -> tuple[bytes, int]:
    """Return a name of version 4, which drops bytes from the end of the name before it and adds its own."""
    strip = -1
    while at < end:
        byte = data[at]
        at += 1
        strip = ((strip + 1) << 7) | (byte & 0x7F)
        if not byte & 0x80:
            break
    stop = data.find(b"\0", at, end)
    if stop < 0 or not 0 <= strip <= len(previous):
        raise _CorruptError
    return previous[: len(previous) - strip] + data[at:stop], stop + 1


def _shared(data: bytes, at: int, end: int, id_bytes: int) -> bytes | None:
    """Return the id in the `link` extension of a split index, or None when there is no such extension."""
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"link" and size >= id_bytes:
            return data[at + 8 : at + 8 + id_bytes]
        at += 8 + size
    return None
