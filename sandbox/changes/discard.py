"""Throwing away what a run wrote: its copy-on-write layers, and what overlayfs needed for them."""

import os
from pathlib import Path

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.removal import remove_tree
from sandbox.changes.beneath import open_root
from sandbox.errors import ChangesetError

# The directories of a run's state that hold what the run wrote. Its artifacts and the journal of its apply,
# with the originals that an undo needs, stand beside them and stay.
_LAYERS = ("upper", "work", "merged", "copy", "outbox", "inbox", "home")


def discard(state_dir: Path) -> None:
    """Remove the layers below a run's state directory, whatever modes and depths the run gave them.

    Artifacts and the apply's journal stay. Calling it again is fine, and so is a directory that is not there.

    Raises:
        ChangesetError: `discard_failed` when something could not be removed, such as a layer still mounted.
    """
    if not state_dir.exists():
        return
    disk = Disk()
    try:
        state_fd = open_root(os.path.realpath(state_dir))
        try:
            for name in _LAYERS:
                remove_tree(state_fd, name, disk)
        finally:
            os.close(state_fd)
    except OSError as error:
        raise ChangesetError("discard_failed", f"{state_dir} could not be cleared: {error}") from error
