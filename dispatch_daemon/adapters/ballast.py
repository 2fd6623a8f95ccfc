"""The ballast: room on the disk that is kept for the day it is full, and then pays for saying so.

A run that a full disk has broken must still end in the journal, and its author must hear of it. Both need a few
kilobytes exactly when there are none, so a file of zeros holds some mebibytes until then.
"""

import contextlib
import logging
import os
from pathlib import Path
from typing import Final

BALLAST_BYTES: Final = 8 * 1024 * 1024
_NAME: Final = "ballast"
_SHARE: Final = 4  # of what is free, it takes at most one part in so many
log = logging.getLogger("dispatch.daemon")


class Ballast:
    """One home's ballast."""

    def __init__(self, home: Path) -> None:
        self._path = home / _NAME

    def lay(self) -> None:
        """Take the room, if it is not taken yet and there is plenty; a disk that has little is left alone."""
        with contextlib.suppress(OSError):
            if self._path.exists():
                return
            found = os.statvfs(self._path.parent)
            if found.f_bavail * found.f_frsize < _SHARE * BALLAST_BYTES:
                return
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            except OSError:
                self._path.unlink()
            finally:
                os.close(descriptor)

    def spend(self) -> bool:
        """Give the room back; return whether there was any. It is laid again when a run begins with room for it."""
        try:
            self._path.unlink()
        except OSError:
            return False
        log.warning("the disk is full: the ballast was given back to record what that ended")
        return True
