"""Where a tool works and what it gives back."""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass


class ToolError(Exception):
    """A tool could not do what it was asked; the message is for whoever asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool gives back. `error` is None exactly when `ok`."""

    ok: bool
    output: str
    truncated: bool = False
    exit_code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Workplace:
    """The directory relative paths start from, and the bounds and means of the run.

    `kept` are the directories whose changes outlive the run; anything else writable is scratch. `confine`
    is called in a child between fork and exec and puts it into a wall of its own.
    """

    cwd: str
    output_bytes: int
    kept: tuple[str, ...]
    environment: Mapping[str, str]
    confine: Callable[[], None]

    def locate(self, path: str) -> str:
        """Make a path absolute; links are left to the kernel, which knows what exists here."""
        return os.path.normpath(os.path.join(self.cwd, path))

    def keeps(self, path: str) -> bool:
        """Tell whether a file at `path` will still exist after the run."""
        real = os.path.realpath(path)
        return any(real == top or real.startswith(top + "/") for top in self.kept)

    def clip(self, output: str) -> tuple[str, bool]:
        """Cut text to the output limit, counted in UTF-8 bytes, and tell whether anything was cut."""
        data = output.encode("utf-8", "replace")
        if len(data) <= self.output_bytes:
            return output, False
        return data[: self.output_bytes].decode("utf-8", "ignore"), True


def open_regular(path: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """Open a plain file without ever blocking on a pipe or a device.

    Raises:
        ToolError: It does not exist, is a directory or no plain file, or may not be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, mode)
    except FileNotFoundError:
        raise ToolError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise ToolError(f"{path} is a directory") from None
    except OSError as error:
        raise ToolError(f"{path} cannot be opened: {error.strerror}") from None
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        raise ToolError(f"{path} is {'a directory' if stat.S_ISDIR(kind) else 'not a plain file'}")
    return descriptor
