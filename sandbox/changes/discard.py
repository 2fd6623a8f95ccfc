"""Throwing a run's state away: the copy-on-write layers, and what overlayfs needed for them."""

import os
from pathlib import Path

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.removal import remove_tree
from sandbox.changes.beneath import open_root
from sandbox.errors import ChangesetError


def discard(state_dir: Path) -> None:
    """Remove a run's state directory with everything in it; one that is gone already is fine.

    Raises:
        ChangesetError: `discard_failed` when something could not be removed, such as a layer still mounted.
    """
    try:
        parent_fd = open_root(os.path.realpath(state_dir.parent))
    except FileNotFoundError:
        return
    try:
        remove_tree(parent_fd, state_dir.name, Disk())
    except OSError as error:
        raise ChangesetError("discard_failed", f"{state_dir} could not be removed: {error}") from error
    finally:
        os.close(parent_fd)
