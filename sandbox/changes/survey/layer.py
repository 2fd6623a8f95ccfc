"""One directory of a frozen overlay: what the run wrote (`upper`) over what stands there (`lower`).

This is the only place that knows how overlayfs writes things down (Documentation/filesystems/overlayfs.rst):
a deletion is a character device 0:0, a directory that hides everything below it is marked opaque, a file
copied up remembers its origin. The marks are `user.` attributes because the mount was made without privilege;
the kernel keeps the run itself from setting them.
"""

import os
import stat
from dataclasses import dataclass

from sandbox.changes.beneath import look, open_directory
from sandbox.changes.git.scope import Scope
from sandbox.changes.protected import is_repository

_OPAQUE = "user.overlay.opaque"
_ORIGIN = "user.overlay.origin"
_REPOSITORY_PARTS = ("HEAD", "objects", "refs", "commondir")


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of the merged view, open on both sides. Either side may be missing.

    `path` is relative to the grant, empty for the grant itself. `opaque` hides the lower entries from the
    merged view; they are still there to be compared with.
    """

    path: str
    depth: int
    scope: Scope
    upper_fd: int | None
    lower_fd: int | None
    opaque: bool

    def below(self, name: str) -> str:
        """Return the relative path of an entry."""
        return f"{self.path}/{name}" if self.path else name

    def lower(self, name: str) -> os.stat_result | None:
        """Return what the lower layer has under a name."""
        return None if self.lower_fd is None else look(self.lower_fd, name)

    def is_repository(self) -> bool:
        """Say whether the merged view of this directory would be a Git repository in its own right."""
        upper = {} if self.upper_fd is None else entries(self.upper_fd)
        names = {name for name, found in upper.items() if not is_whiteout(found)}
        if self.lower_fd is not None and not self.opaque:
            parts = (name for name in _REPOSITORY_PARTS if name not in upper)
            names.update(name for name in parts if look(self.lower_fd, name) is not None)
        return is_repository(names)

    def enter(self, name: str, *, upper: bool, lower: bool) -> "Directory":
        """Open a subdirectory on the sides asked for; the caller closes it.

        Raises:
            OSError: when a side cannot be opened, or is no directory any more.
        """
        upper_fd = open_directory(self.upper_fd, name) if upper and self.upper_fd is not None else None
        try:
            lower_fd = open_directory(self.lower_fd, name) if lower and self.lower_fd is not None else None
        except OSError:
            _close(upper_fd)
            raise
        # Below an opaque directory nothing is marked again: there the kernel sees no lower entry to hide.
        opaque = self.opaque or (upper_fd is not None and _attribute(upper_fd, _OPAQUE) == b"y")
        return Directory(self.below(name), self.depth + 1, self.scope.enter(name), upper_fd, lower_fd, opaque)

    def close(self) -> None:
        """Close both sides."""
        _close(self.upper_fd)
        _close(self.lower_fd)


def _close(fd: int | None) -> None:
    if fd is not None:
        os.close(fd)


def entries(dir_fd: int) -> dict[str, os.stat_result]:
    """Return what a directory holds, by name in order, links not followed."""
    with os.scandir(dir_fd) as found:
        names = sorted(entry.name for entry in found)
    stats = {name: look(dir_fd, name) for name in names}
    return {name: found for name, found in stats.items() if found is not None}


def is_whiteout(found: os.stat_result) -> bool:
    """Say whether an entry of the upper layer stands for a deletion."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def was_copied_up(fd: int) -> bool:
    """Say whether a file or directory of the upper layer began as a copy of a lower one."""
    return _attribute(fd, _ORIGIN) is not None


def _attribute(fd: int, name: str) -> bytes | None:
    """Return an extended attribute, None when it is not there or the file system has none."""
    try:
        return os.getxattr(fd, name)
    except OSError:
        return None
