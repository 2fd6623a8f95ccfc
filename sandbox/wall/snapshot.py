"""A real copy of a granted tree, for the trees the kernel cannot overlay.

An overlay mounted by an ordinary user cannot copy up a file whose owner or group has no name in the user's
namespace (a project shared through a group, files left by a container). Such a tree is copied once, as the
owner's own, and the overlay is put over the copy: what the run wrote is then still exactly the upper layer,
and the original is still only touched by an approved apply.

Blocks are shared where the file system can (FICLONE), so on btrfs and XFS this costs little.
"""

import errno
import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import PathRefusedError

MAX_COPIED_BYTES = 4 * 1024**3
_FICLONE = 0x40049409
_CANNOT_CLONE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.EPERM}
_CHUNK_BYTES = 1 << 26


@dataclass(slots=True)
class Copied:
    """What a copy did: files made, and entries left out because they cannot be read or are no plain files."""

    files: int = 0
    left_out: int = 0


def copy_tree(source: int, target: Path, *, size_bytes: int) -> Copied:
    """Copy the tree of `source` into the new directory `target`, following no link.

    Args:
        source: An opened directory.
        target: Must not exist; its parent must.
        size_bytes: What a survey found; refused above 4 GiB before anything is copied.

    Raises:
        PathRefusedError: `path_foreign`, when the tree is too large to be copied.
    """
    if size_bytes > MAX_COPIED_BYTES:
        raise PathRefusedError(
            "path_foreign",
            "The tree holds files of other owners and is too large to be copied for the run.",
            "Take ownership of it (sudo chown -R $(id -u):$(id -g) PATH), or grant a smaller part.",
        )
    target.mkdir(0o700)
    copied = Copied()
    try:
        _copy_below(source, target, copied)
    except RecursionError:
        raise PathRefusedError(
            "path_foreign",
            "The tree holds files of other owners and is nested too deeply to be copied for the run.",
            "Take ownership of it (sudo chown -R $(id -u):$(id -g) PATH), or grant a smaller part.",
        ) from None
    return copied


def _copy_below(source: int, target: Path, copied: Copied) -> None:
    for directory, names, files, descriptor in os.fwalk(".", follow_symlinks=False, dir_fd=source):
        here = target / directory
        for name in list(names):
            _copy_directory(descriptor, name, here / name, copied, names)
        for name in files:
            _copy_file(descriptor, name, here / name, copied)


def _copy_directory(parent: int, name: str, target: Path, copied: Copied, names: list[str]) -> None:
    """Make a directory, or copy the link that `os.fwalk` lists among the directories."""
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        names.remove(name)
        target.symlink_to(os.readlink(name, dir_fd=parent))
        return
    if not os.access(name, os.R_OK | os.X_OK, dir_fd=parent):
        names.remove(name)
        copied.left_out += 1
        return
    target.mkdir(stat.S_IMODE(status.st_mode) & 0o777 | 0o700)


def _copy_file(parent: int, name: str, target: Path, copied: Copied) -> None:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        target.symlink_to(os.readlink(name, dir_fd=parent))
        return
    try:
        reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        copied.left_out += 1
        return
    try:
        if not stat.S_ISREG(os.fstat(reading).st_mode):
            copied.left_out += 1
            return
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _copy_blocks(reading, writing, status.st_size)
            os.fchmod(writing, stat.S_IMODE(status.st_mode) & 0o777)
            os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(writing)
        copied.files += 1
    finally:
        os.close(reading)


def _copy_blocks(reading: int, writing: int, size: int) -> None:
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if error.errno not in _CANNOT_CLONE:
            raise
        while size > 0 and (moved := os.copy_file_range(reading, writing, min(size, _CHUNK_BYTES))):
            size -= moved
