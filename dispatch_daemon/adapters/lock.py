"""The lock of a home: one daemon at a time, held for as long as the process lives.

An advisory lock of the kernel goes when its holder goes, however it dies, so there is no stale lock to clean up.
The lock file itself is never removed: a second process that locked a removed file would hold nothing.
"""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

from dispatch_daemon.adapters.home import HomeError

LOCK_NAME = "daemon.lock"
PID_NAME = "daemon.pid"
LOOKERS = 10
LOOK_S = 0.02
_HELD = frozenset({errno.EAGAIN, errno.EACCES})


class HomeBusyError(HomeError):
    """Another daemon serves this home; `pid` is its process id, None if it has not written it yet."""

    def __init__(self, home: Path, pid: int | None) -> None:
        """Name the process that holds the home."""
        holder = "another daemon" if pid is None else f"the daemon with pid {pid}"
        super().__init__(
            "daemon_running", f"{home} is already served by {holder}.", hint="dispatch daemon status"
        )
        self.pid = pid


class HomeLock:
    """An exclusive lock on a home; `take` returns one, `release` or the end of the process gives it back."""

    def __init__(self, home: Path, descriptor: int) -> None:
        self._home = home
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, home: Path) -> "HomeLock":
        """Lock `home` and record our process id in `daemon.pid`.

        Raises `HomeBusyError` if another process holds it, `HomeError` (`home_unusable`) if the file system cannot
        lock at all, as some network file systems cannot, or the process id cannot be written.
        """
        path = home / LOCK_NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise HomeError(
                "home_unusable", f"{path} cannot be opened: {error.strerror or error}."
            ) from error
        try:
            _lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno in _HELD:
                raise HomeBusyError(home, recorded_pid(home)) from error
            raise HomeError(
                "home_unusable",
                f"{path} cannot be locked: {error.strerror or error}.",
                hint="put the home on a local disk with DISPATCH_HOME",
            ) from error
        try:
            (home / PID_NAME).write_text(f"{os.getpid()}\n", encoding="ascii")
        except OSError as error:
            os.close(descriptor)
            raise HomeError(
                "home_unusable", f"{home / PID_NAME} cannot be written: {error.strerror or error}."
            ) from error
        return cls(home, descriptor)

    def release(self) -> None:
        """Forget the process id, then unlock; doing it twice does nothing."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # a record that stays misleads nobody: the lock decides
            (self._home / PID_NAME).unlink()
        os.close(self._descriptor)
        self._descriptor = None


def _lock(descriptor: int) -> None:
    """Lock at once or soon: a client that asks whether a daemon lives holds the lock for the instant it looks."""
    for attempt in reversed(range(LOOKERS)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD or attempt == 0:
                raise
            time.sleep(LOOK_S)
        else:
            return


def recorded_pid(home: Path) -> int | None:
    """Read the process id that the holder wrote, or None if there is none to read."""
    try:
        return int((home / PID_NAME).read_bytes()[:32])
    except (OSError, ValueError):
        return None
