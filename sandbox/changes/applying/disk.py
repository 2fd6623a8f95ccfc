"""Everything that changes the disk while a changeset is applied, one method per kind of step.

Nothing else in the apply writes. A crash can therefore happen before or after any of these calls and nowhere
else that matters, and `at` is told before each of them: the crash test lists the points by running once and
then dies at every one. Paths are always one name in a directory that is open.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from sandbox.changes.beneath import (
    cannot_exchange,
    exchange,
    move,
    sync_file_system,
)

_CHUNK_BYTES = 128 * 1024
_KEPT_ATTRIBUTES = ("user.", "system.posix_acl_access")
_OVERLAY_ATTRIBUTES = "user.overlay."


def _nowhere(_point: str) -> None:
    """Do nothing: outside of tests no step is watched."""


class Disk:
    """The disk as the apply changes it.

    Args:
        at: Is called with a description before each step.
        rename_flags: Whether the file system is asked for renameat2's flags at all; without them, as on some
            network file systems, replacing and swapping are done in several steps.
    """

    def __init__(self, at: Callable[[str], None] = _nowhere, *, rename_flags: bool = True) -> None:
        self._at = at
        self._rename_flags = rename_flags

    def make_directory(self, dir_fd: int, name: str) -> None:
        """Make a directory that only its owner may enter, until it is finished."""
        self._at(f"mkdir {name}")
        os.mkdir(name, 0o700, dir_fd=dir_fd)

    def link_to(self, text: str, dir_fd: int, name: str) -> None:
        """Make a symbolic link."""
        self._at(f"symlink {name}")
        os.symlink(text, name, dir_fd=dir_fd)

    def copy_file(self, source_fd: int, dir_fd: int, name: str, mode: int, *, like: int | None = None) -> str:
        """Copy an open file to a new name and return the hex digest of what was written.

        Args:
            source_fd: What to copy, from its beginning.
            dir_fd: The directory of the new file.
            name: The new name; it must not exist.
            mode: Permission bits, set when the content is complete.
            like: A file that the new one will replace: its owner and attributes are kept.
        """
        self._at(f"create {name}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=dir_fd)
        try:
            self._at(f"fill {name}")
            digest = _copy(source_fd, fd)
            if like is not None:
                _keep_ownership(like, fd)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
        return digest

    def set_mode(self, fd: int, mode: int) -> None:
        """Set the permission bits of an open directory or file and leave its special bits as they are."""
        self._at(f"chmod {mode:o}")
        os.fchmod(fd, os.fstat(fd).st_mode & 0o7000 | mode)

    def move(self, dir_fd: int, old: str, new: str) -> None:
        """Rename within a directory, never replacing anything: FileExistsError when the new name is taken."""
        self._at(f"move {old} {new}")
        move(dir_fd, old, new, flags=self._rename_flags)

    def swap(self, dir_fd: int, one: str, other: str) -> bool:
        """Let two names swap what stands under them; False when this file system does not know how."""
        if not self._rename_flags:
            return False
        self._at(f"exchange {one} {other}")
        try:
            exchange(dir_fd, one, other)
        except OSError as error:
            if cannot_exchange(error):
                return False
            raise
        return True

    def move_to(self, dir_fd: int, old: str, new_dir_fd: int, new: str) -> None:
        """Rename into another directory of the same file system; OSError EXDEV when it is another."""
        self._at(f"carry {old} {new}")
        os.rename(old, new, src_dir_fd=dir_fd, dst_dir_fd=new_dir_fd)

    def unlink(self, dir_fd: int, name: str) -> None:
        """Remove anything but a directory."""
        self._at(f"unlink {name}")
        os.unlink(name, dir_fd=dir_fd)

    def remove_directory(self, dir_fd: int, name: str) -> None:
        """Remove an empty directory."""
        self._at(f"rmdir {name}")
        os.rmdir(name, dir_fd=dir_fd)

    def sync(self, dir_fd: int, name: str) -> None:
        """Write a file, or a directory's entries, to the disk."""
        self._at(f"sync {name}")
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_all(self, fd: int) -> None:
        """Write everything of a file system to the disk: one call is quicker than a thousand."""
        self._at("sync everything")
        sync_file_system(fd)

    def record(self, dir_fd: int, name: str, data: bytes) -> None:
        """Write a file so that after a crash it is either there and whole, or not there."""
        part = f"{name}.part"
        self._at(f"write {name}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(part, flags, 0o600, dir_fd=dir_fd), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.move_to(dir_fd, part, dir_fd, name)
        self._at(f"sync after {name}")
        os.fsync(dir_fd)


def _copy(source_fd: int, fd: int) -> str:
    """Copy an open file from its beginning and return the hex SHA-256 of what was written."""
    digest = sha256()
    at = 0
    while chunk := os.pread(source_fd, _CHUNK_BYTES, at):
        at += len(chunk)
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(fd, view) :]
    return digest.hexdigest()


def _keep_ownership(old_fd: int, new_fd: int) -> None:
    """Give a file the owner, the access list and the user attributes of the one it will replace.

    As far as an ordinary user may: a file of somebody else becomes one's own, as with every editor that saves
    by renaming. The changeset has flagged it.
    """
    old, new = os.fstat(old_fd), os.fstat(new_fd)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        with suppress(PermissionError):
            os.fchown(new_fd, -1, old.st_gid)
            os.fchown(new_fd, old.st_uid, -1)
    with suppress(OSError):  # a file system without attributes has none to keep
        for name in os.listxattr(old_fd):
            if name.startswith(_KEPT_ATTRIBUTES) and not name.startswith(_OVERLAY_ATTRIBUTES):
                os.setxattr(new_fd, name, os.getxattr(old_fd, name))
