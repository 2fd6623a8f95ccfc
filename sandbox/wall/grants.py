"""Granted paths as the file system has them: walked without following a link, compared, surveyed.

A path is only a name. Between the day it was granted and the moment a run starts, somebody may have put a
symbolic link, another directory or a mount where it leads. So each component is opened with O_PATH and
O_NOFOLLOW from the root down, the directory found at the end is compared with the (device, inode) that was
granted, and from then on only its descriptor counts. The stage that makes the mounts walks once more.
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.errors import PathRefusedError
from sandbox.job import Mode, PathGrant
from sandbox.wall.policy import check_path, is_inside
from sandbox.wall.walk import same_file, walk

MAX_SURVEYED = 500_000
_NAMED = 3  # how many paths an error message names


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look at the whole tree below a writable grant found.

    `foreign` counts entries whose owner or group has no name in the run's user namespace: the kernel cannot
    copy those up (EOVERFLOW). `linked` counts files with a second name, which may lie outside the grant.
    """

    entries: int
    size_bytes: int
    foreign: int
    foreign_paths: tuple[str, ...]
    linked: int


def enrol(path: str, mode: Mode, *, homes: Sequence[str], forbidden: Sequence[str] = ()) -> PathGrant:
    """Make the grant that is stored when an owner grants a path: canonical, checked, with its identity.

    Raises:
        PathRefusedError: The path does not exist, must never be granted, or is a file granted for writing.
    """
    canonical = os.path.realpath(os.path.expanduser(path))
    check_path(canonical, homes=homes, forbidden=forbidden)
    descriptor = open_grant(PathGrant(canonical, mode))
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return PathGrant(canonical, mode, (found.st_dev, found.st_ino))


def open_grant(grant: PathGrant) -> int:
    """Open a grant and check that it is what was granted; return an O_PATH descriptor the caller closes.

    Raises:
        PathRefusedError: As `walk`; also when the identity differs or the kind cannot be mounted.
    """
    descriptor = walk(grant.path)
    found = os.fstat(descriptor)
    problem = None
    if grant.identity is not None and not same_file(descriptor, grant.identity):
        problem = f"{grant.path} is no longer the directory that was granted."
    elif grant.mode == "rw" and not stat.S_ISDIR(found.st_mode):
        problem = f"{grant.path} is not a directory, and only directories can be granted for writing."
    elif not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        problem = f"{grant.path} is neither a directory nor a plain file."
    if problem is None:
        return descriptor
    os.close(descriptor)
    raise PathRefusedError("path_changed", problem, "Edit the grant so that it names what you mean.")


def submounts(path: str, mountinfo: str) -> tuple[str, ...]:
    r"""List the mount points strictly below a path.

    Args:
        path: Canonical.
        mountinfo: The text of `/proc/self/mountinfo`; its fifth field is the mount point, with blanks and
            backslashes written as `\ooo` (proc_pid_mountinfo(5)).
    """
    points = (_unescape(line.split(" ")[4]) for line in mountinfo.splitlines() if line.count(" ") > 4)
    return tuple(sorted({point for point in points if point != path and is_inside(point, path)}))


def refuse_submounts(grant: PathGrant, mountinfo: str) -> None:
    """Refuse a writable grant with another file system mounted below it.

    The overlay would either fail or silently show the empty directory beneath the mount.

    Raises:
        PathRefusedError: `path_submount`.
    """
    below = submounts(grant.path, mountinfo) if grant.mode == "rw" else ()
    if below:
        raise PathRefusedError(
            "path_submount",
            f"Another file system is mounted at {below[0]}, below the writable {grant.path}.",
            "Grant directories that contain no mount, or unmount it.",
        )


def survey(descriptor: int, shown: str, *, uids: Sequence[range], gids: Sequence[range]) -> Survey:
    """Look once at everything below a writable grant, without following links; costs a stat per entry.

    Args:
        descriptor: The opened grant.
        shown: Its path, for the messages.
        uids: The owners that the overlay's user namespace can name; `gids` likewise for groups.

    Raises:
        PathRefusedError: `path_denied` when this user may not read it; `path_too_large` above half a million
            entries.
    """
    entries = size = foreign = linked = 0
    named: list[str] = []
    top = f"/proc/self/fd/{descriptor}"
    if not os.access(top, os.R_OK | os.X_OK):
        raise PathRefusedError(
            "path_denied", f"{shown} may not be read by this user.", "Check its permissions."
        )
    pending = [top]
    while pending:
        for entry in _entries(pending.pop()):
            status = _status(entry)
            if status is None:
                continue
            entries += 1
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
            linked += stat.S_ISREG(status.st_mode) and status.st_nlink > 1
            if not (_covers(uids, status.st_uid) and _covers(gids, status.st_gid)):
                foreign += 1
                named += [shown + entry.path.removeprefix(top)] if len(named) < _NAMED else []
            if stat.S_ISDIR(status.st_mode):
                pending.append(entry.path)
        if entries > MAX_SURVEYED:
            raise PathRefusedError(
                "path_too_large",
                f"{shown} holds more than {MAX_SURVEYED:,} files.",
                "Grant a smaller directory for writing, or grant this one read-only.",
            )
    return Survey(entries, size, foreign, tuple(named), linked)


def _entries(directory: str) -> "list[os.DirEntry[str]]":
    try:
        return list(os.scandir(directory))
    except OSError:
        return []  # the run cannot read it either, or it went while we looked


def _status(entry: "os.DirEntry[str]") -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _covers(ranges: Sequence[range], number: int) -> bool:
    return any(number in each for each in ranges)


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
