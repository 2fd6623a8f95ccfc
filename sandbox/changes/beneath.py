"""Reaching a path beneath an open directory without ever following a symbolic link.

A path as a string is resolved anew by every system call, and between two of them a directory can become a
link to /etc. So every access walks component by component from a descriptor that was checked once, with
O_NOFOLLOW at each step, and acts on a name in the directory it has open. What cannot be reached this way
does not exist for this room.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sandbox.changes.change import Kind, Stamp
from sandbox.errors import PathRefusedError

_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_NOREPLACE = 1
_EXCHANGE = 2
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP}


def open_root(path: str, identity: tuple[int, int] | None = None) -> int:
    """Open a directory by its absolute path, no component of which may be a symbolic link.

    Raises:
        PathRefusedError: `path_changed` when it is not the directory of this (device, inode) identity.
        OSError: when it cannot be reached or opened.
    """
    with _walked("/", path.strip("/").split("/")) as parent:
        fd = os.open(".", _LIST, dir_fd=parent)
    found = os.fstat(fd)
    if identity is not None and (found.st_dev, found.st_ino) != identity:
        os.close(fd)
        raise PathRefusedError(
            "path_changed", f"{path} is no longer the directory that was granted", "Grant the path again."
        )
    return fd


@contextmanager
def _walked(start: str | int, parts: Sequence[str]) -> Iterator[int]:
    """Yield a descriptor of the directory reached from `start` by these components."""
    fd = os.open(".", _WALK, dir_fd=start) if isinstance(start, int) else os.open(start, _WALK)
    try:
        for part in parts:
            if part:
                after = os.open(part, _WALK, dir_fd=fd)
                os.close(fd)
                fd = after
        yield fd
    finally:
        os.close(fd)


@contextmanager
def parent_of(root_fd: int, path: str) -> Iterator[tuple[int, str]]:
    """Yield the directory that holds a relative path, as a descriptor, and the path's last component.

    Raises:
        OSError: ENOENT, ENOTDIR or ELOOP when the way is not made of directories.
    """
    *parts, name = path.split("/")
    with _walked(root_fd, parts) as fd:
        yield fd, name


def is_gone(error: OSError) -> bool:
    """Say whether an error means that a way is not there any more, or not made of directories any more."""
    return error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def look(dir_fd: int, name: str) -> os.stat_result | None:
    """Return what stands under a name, links not followed; None when nothing does."""
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def open_directory(dir_fd: int, name: str) -> int:
    """Open a subdirectory for listing and for calls beneath it."""
    return os.open(name, _LIST, dir_fd=dir_fd)


def open_file(dir_fd: int, name: str) -> int:
    """Open a plain file for reading.

    Raises:
        OSError: EINVAL when it is no plain file, else what the system says.
    """
    fd = os.open(name, _READ, dir_fd=dir_fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a plain file", name)
    return fd


def kind_of(mode: int) -> Kind | None:
    """Return the kind that an `st_mode` states; None for fifos, sockets and devices."""
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.DIRECTORY
    return Kind.SYMLINK if stat.S_ISLNK(mode) else None


def stamp_of(found: os.stat_result) -> Stamp:
    """Return the part of a stat result by which a later change is noticed."""
    # File systems let a directory's size grow and shrink on their own.
    size_bytes = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    return Stamp(found.st_ino, found.st_mode, size_bytes, found.st_mtime_ns, found.st_ctime_ns)


def move(dir_fd: int, old: str, new: str, *, flags: bool = True) -> None:
    """Rename within one directory, never replacing anything.

    Some network file systems know no flags. `flags=False` is the way for them: look first, then rename, with
    a window in between.

    Raises:
        FileExistsError: when the new name is taken; nothing has changed then.
    """
    if flags:
        try:
            _renameat2(dir_fd, old, new, _NOREPLACE)
        except OSError as error:
            if not cannot_exchange(error):
                raise
        else:
            return
    if look(dir_fd, new) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    os.rename(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def exchange(dir_fd: int, one: str, other: str) -> None:
    """Let two names of one directory swap what stands under them, in one step.

    Raises:
        OSError: EINVAL (or a relative, see `cannot_exchange`) where the file system does not know how.
    """
    _renameat2(dir_fd, one, other, _EXCHANGE)


def cannot_exchange(error: OSError) -> bool:
    """Say whether an error means that this file system does not know the flag it was asked for."""
    return error.errno in _UNSUPPORTED


def sync_file_system(fd: int) -> None:
    """Write everything of the file system that holds `fd` to the disk."""
    if _libc.syncfs(ctypes.c_int(fd)) != 0:
        raise _last_error("syncfs")


_libc = ctypes.CDLL(None, use_errno=True)


def _renameat2(dir_fd: int, old: str, new: str, flags: int) -> None:
    """Call renameat2(2), which the standard library does not offer."""
    if _libc.renameat2(dir_fd, os.fsencode(old), dir_fd, os.fsencode(new), flags) != 0:
        raise _last_error(new)


def _last_error(name: str) -> OSError:
    """Return the error of the C call that just failed."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), name)
