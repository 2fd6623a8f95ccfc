"""Collect what a finished run put into its artifacts directory.

Nothing there is trusted: a link, a pipe or a name made of control characters stays behind and is listed.
The kept files lie side by side, a file `a/b.txt` as `a__b.txt`, because an artifact is a file with a name.
Files are copied rather than moved, by descriptor and with new modes, so that nothing the run still means by
them comes along.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.names import is_plain_name

MAX_FILES = 1000
MAX_BYTES = 256 * 1024 * 1024
MAX_DEPTH = 16
_PIECE_BYTES = 1 << 20
_SEPARATOR = "__"
_MAX_LISTED = 100


@dataclass(slots=True)
class _Collection:
    """The collecting so far."""

    target: Path
    files: int = 0
    size_bytes: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)

    def leave(self, path: str, reason: str) -> None:
        if len(self.left) < _MAX_LISTED:
            self.left.append((path.encode("utf-8", "backslashreplace").decode(), reason))


def collect(source: Path, target: Path) -> tuple[tuple[str, str], ...]:
    """Copy the plain files below `source` to `target`; return (path, reason) of what stayed behind.

    Args:
        source: What the run wrote; no process of it may be left.
        target: A directory, which may already hold files; those are kept and win over the run's.
    """
    collection = _Collection(target)
    _collect_below(
        os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC), "", 0, collection
    )
    return tuple(collection.left)


def copy_files(paths: Sequence[str], target: Path) -> None:
    """Copy the plain files that a person names into a directory, each under its own name.

    Raises:
        SandboxError: `artifact_refused`: a name that is not plain or is given twice, or too many or too much.
        OSError: A path is not there, cannot be read, or is no plain file.
    """
    collection = _Collection(target)
    for path in paths:
        name = os.path.basename(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            status = os.fstat(descriptor)
            reason = _keep(descriptor, status, name, collection) if is_plain_name(name) else "name"
        finally:
            os.close(descriptor)
        if reason is not None:
            raise SandboxError(
                "artifact_refused", f"{path} cannot go along: {reason}.", "Name other files, or rename it."
            )


def _collect_below(directory: int, prefix: str, depth: int, collection: _Collection) -> None:
    """Collect one open directory and close it."""
    try:
        for name in sorted(os.listdir(directory)):
            path = f"{prefix}{name}"
            if not is_plain_name(name):
                collection.leave(path, "name")
                continue
            _collect_entry(directory, name, path, depth, collection)
    finally:
        os.close(directory)


def _collect_entry(directory: int, name: str, path: str, depth: int, collection: _Collection) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError:
        collection.leave(path, "not a plain file or not readable")
        return
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode) and depth < MAX_DEPTH:
        _collect_below(descriptor, f"{path}/", depth + 1, collection)
        return
    try:
        reason = _keep(descriptor, status, path, collection)
    finally:
        os.close(descriptor)
    if reason is not None:
        collection.leave(path, reason)


def _keep(descriptor: int, status: os.stat_result, path: str, collection: _Collection) -> str | None:
    """Copy one opened file, or say why not."""
    if not stat.S_ISREG(status.st_mode):
        return "not a plain file"
    name = path.replace("/", _SEPARATOR)
    if not is_plain_name(name):
        return "name"
    if collection.files >= MAX_FILES or collection.size_bytes + status.st_size > MAX_BYTES:
        return "too many or too large"
    try:
        _copy(descriptor, collection.target / name, status.st_size)
    except FileExistsError:
        return "a saved output has this name"
    collection.files += 1
    collection.size_bytes += status.st_size
    return None


def _copy(descriptor: int, target: Path, size: int) -> None:
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while size > 0 and (piece := os.read(descriptor, min(size, _PIECE_BYTES))):
            size -= os.write(writing, piece)
    finally:
        os.close(writing)
