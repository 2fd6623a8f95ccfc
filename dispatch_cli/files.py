"""Files for a dispatch: opened and checked before the first is handed over, and read once.

Only plain files travel: a FIFO would wait for ever, a device would never end. One that changes while it is read is not
sent, because nobody could say which of its versions was signed. A link counts as what it leads to, under its own name.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from dispatch_cli.errors import CliError
from dispatch_protocol.limits import ATTACHMENTS, NAME_CHARS

_PIECE_BYTES = 256 * 1024


@dataclass(slots=True)
class OpenFile:
    """One plain file, open: `name` is what it travels under, `size_bytes` what it had when it was opened."""

    path: str
    name: str
    descriptor: int
    size_bytes: int
    _seen: tuple[int, int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Remember what would show that somebody wrote to it."""
        self._seen = self._look()

    def read(self) -> Iterator[bytes]:
        """Yield the whole content from its start.

        Raises `CliError`: `file_changed` if it is not the file any more that was opened, `file_unreadable`.
        """
        left = self.size_bytes
        try:
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            while piece := os.read(self.descriptor, min(_PIECE_BYTES, left + 1)):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
        except OSError as error:
            raise _unreadable(self.path, error.strerror or str(error)) from error
        if left or self._look() != self._seen:
            raise CliError("file_changed", f"{self.path} changed while it was read; nothing was sent.")

    def _look(self) -> tuple[int, int, int, int]:
        found = os.fstat(self.descriptor)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def opened(paths: Sequence[str]) -> Iterator[list[OpenFile]]:
    """Open every file and check it, or none.

    Raises `CliError`: `too_many_files`, `file_unreadable`, `file_name`.
    """
    if len(paths) > ATTACHMENTS:
        raise CliError(
            "too_many_files", f"{len(paths)} files were named; a dispatch carries at most {ATTACHMENTS}."
        )
    files: list[OpenFile] = []
    try:
        files += map(_open, paths)  # one by one, so that those before a bad one are closed
        yield files
    finally:
        for file in files:
            os.close(file.descriptor)


def hand_over(files: Sequence[OpenFile], upload: Callable[[int, OpenFile], str]) -> list[dict[str, str]]:
    """Give every file to the daemon, counted from 1; return what stands for each in a dispatch."""
    return [
        {"file_id": upload(number, file), "name": file.name} for number, file in enumerate(files, start=1)
    ]


def _open(path: str) -> OpenFile:
    place = os.path.expanduser(path)
    name = _name(place)
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise _unreadable(path, f"it is {_kind(found.st_mode)}, and only plain files can be sent")
    return OpenFile(path, name, descriptor, found.st_size)


def _name(place: str) -> str:
    name = os.path.basename(place.rstrip("/"))
    try:
        name.encode()
    except UnicodeEncodeError:
        raise CliError("file_name", f"The name of {place!a} is not UTF-8 text.") from None
    if not name.isprintable() or len(name.encode()) > NAME_CHARS or "\\" in name:
        raise CliError(
            "file_name", f"The name of {place!a} holds characters that cannot travel, or is too long."
        )
    return name


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    return next((words for is_kind, words in kinds if is_kind(mode)), "a device")


def _unreadable(path: str, why: str) -> CliError:
    return CliError("file_unreadable", f"{path} cannot be read: {why}.")
