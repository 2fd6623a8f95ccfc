"""Removing a tree that a hostile run shaped: of any depth, with directories that deny their own owner.

The usual recursive way ends with "too many open files" or a recursion error some hundred levels down, and
overlayfs itself leaves a directory of mode 000 behind. Here every directory found is moved up into the top one
and emptied there, so that two descriptors suffice for any depth.
"""

import os
import stat

from sandbox.changes.applying.disk import Disk
from sandbox.changes.beneath import look

_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


def remove_tree(dir_fd: int, name: str, disk: Disk) -> None:
    """Remove whatever stands under a name, links not followed; nothing there is fine."""
    found = look(dir_fd, name)
    if found is None:
        return
    if not stat.S_ISDIR(found.st_mode):
        disk.unlink(dir_fd, name)
        return
    top_fd = _unlocked(dir_fd, name)
    try:
        number = 0
        while names := os.listdir(top_fd):
            for entry in names:
                number = _flatten(top_fd, entry, number, disk)
    finally:
        os.close(top_fd)
    disk.remove_directory(dir_fd, name)


def _flatten(top_fd: int, name: str, number: int, disk: Disk) -> int:
    """Remove one entry of the top directory, moving the directories in it up; return the next free number."""
    if not _is_directory(top_fd, name):
        disk.unlink(top_fd, name)
        return number
    fd = _unlocked(top_fd, name)
    try:
        for entry in os.listdir(fd):
            if not _is_directory(fd, entry):
                disk.unlink(fd, entry)
                continue
            os.close(_unlocked(fd, entry))  # moving a directory writes to it
            while look(top_fd, f"{number}") is not None:
                number += 1
            disk.move_to(fd, entry, top_fd, f"{number}")
    finally:
        os.close(fd)
    disk.remove_directory(top_fd, name)
    return number


def _is_directory(dir_fd: int, name: str) -> bool:
    found = look(dir_fd, name)
    return found is not None and stat.S_ISDIR(found.st_mode)


def _unlocked(dir_fd: int, name: str) -> int:
    """Open a directory for listing after making it its owner's own to change.

    A directory of mode 000 can only be opened as a path, and such a descriptor takes a new mode only through
    its entry in /proc.
    """
    path_fd = os.open(name, _WALK, dir_fd=dir_fd)
    try:
        os.chmod(f"/proc/self/fd/{path_fd}", 0o700)
        return os.open(".", _LIST, dir_fd=path_fd)
    finally:
        os.close(path_fd)
