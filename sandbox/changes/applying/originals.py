"""Keeping what an apply replaced or deleted, outside of the owner's directories, for an undo.

One entry per step, named by the step's number, in the shape it had. On one file system it is moved; to another
it is copied whole before it is removed, so at every moment one complete original exists.
"""

import errno
import os
import stat

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.removal import remove_tree
from sandbox.changes.beneath import look, open_directory, open_file

_OWNER_WRITES = 0o200


def keep(disk: Disk, dir_fd: int, name: str, originals_fd: int, number: str) -> None:
    """Carry what stands under a name, if anything does, to the originals."""
    found = look(dir_fd, name)
    if found is None:
        return
    if look(originals_fd, number) is None:
        if stat.S_ISDIR(found.st_mode):
            _set_mode(disk, dir_fd, name, found.st_mode & 0o777 | _OWNER_WRITES)  # moving it writes to it
        try:
            disk.move_to(dir_fd, name, originals_fd, number)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            part = f"{number}.part"
            remove_tree(originals_fd, part, disk)
            _copy(disk, dir_fd, name, originals_fd, part)
            disk.move_to(originals_fd, part, originals_fd, number)
        if stat.S_ISDIR(found.st_mode):
            _set_mode(disk, originals_fd, number, found.st_mode & 0o777)
    remove_tree(dir_fd, name, disk)


def _copy(disk: Disk, dir_fd: int, name: str, into_fd: int, new: str) -> None:
    """Copy a file, a link or a tree to another file system, and make it durable there."""
    found = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        disk.link_to(os.readlink(name, dir_fd=dir_fd), into_fd, new)
    elif stat.S_ISREG(found.st_mode):
        fd = open_file(dir_fd, name)
        try:
            disk.copy_file(fd, into_fd, new, found.st_mode & 0o777)
        finally:
            os.close(fd)
        disk.sync(into_fd, new)
    else:
        disk.make_directory(into_fd, new)
        from_fd = open_directory(dir_fd, name)
        try:
            below_fd = open_directory(into_fd, new)
            try:
                for entry in os.listdir(from_fd):
                    _copy(disk, from_fd, entry, below_fd, entry)
            finally:
                os.close(below_fd)
        finally:
            os.close(from_fd)
        disk.sync(into_fd, new)
        _set_mode(disk, into_fd, new, found.st_mode & 0o777 | _OWNER_WRITES)


def _set_mode(disk: Disk, dir_fd: int, name: str, mode: int) -> None:
    fd = open_directory(dir_fd, name)
    try:
        if os.fstat(fd).st_mode & 0o777 != mode:
            disk.set_mode(fd, mode)
    finally:
        os.close(fd)
