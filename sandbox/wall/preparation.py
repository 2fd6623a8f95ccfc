"""Everything that must be on disk and open before a wall is built, and the checks that may still refuse it.

All of it happens before any process starts, in the order that wastes least: open each grant and compare it,
look for mounts below the writable ones, survey them once, copy those the kernel cannot overlay, make the
directories of the overlays, and last take the marker by which later changes of others are recognised.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.job import Layer, PathGrant
from sandbox.wall.grants import Survey, open_grant, refuse_submounts, survey
from sandbox.wall.machine import Host
from sandbox.wall.plan import Mount
from sandbox.wall.policy import View
from sandbox.wall.snapshot import copy_tree
from sandbox.wall.walk import walk

UPPER, OUTBOX, ARTIFACTS = "upper", "outbox", "artifacts"
HOME = "home"  # of an agent that brings its own program: what it knows is kept with a run that is set aside
INBOX = "inbox"  # may be there before the run, with the files that it may read
_NAMES = (UPPER, "work", "merged", "copy", OUTBOX, ARTIFACTS, HOME)
_NO_NAMELESS_FILE = {errno.EOPNOTSUPP, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL}
_TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run's state directory, ready: mounts in the view's order, the layers they will leave, what to tell.

    `outbox`, `inbox` and `home` are open descriptors of the directories that `$DISPATCH_ARTIFACTS`,
    `$DISPATCH_ATTACHMENTS` and, for an agent with a program of its own, `$HOME` name inside. They and the mounts' numbers
    are owned by the exit stack that was passed in.
    """

    mounts: tuple[Mount, ...]
    layers: tuple[Layer, ...]
    outbox: int
    inbox: int
    home: int
    warnings: tuple[str, ...]
    watched: tuple[Path, ...]


def make_state(state_dir: Path) -> None:
    """Make a run's own directory and the ones in it.

    Raises:
        SandboxError: `state_used`, when an earlier run left its state here.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for place in (state_dir, *(state_dir / name for name in _NAMES)):
            if place != state_dir:
                place.mkdir()
            place.chmod(0o700)  # whatever the mask of the moment is
        (state_dir / INBOX).mkdir(mode=0o500, exist_ok=True)
    except FileExistsError:
        raise SandboxError(
            "state_used",
            f"{state_dir} already holds the state of a run.",
            "Give each run a directory of its own.",
        ) from None


def prepare(
    view: View, state_dir: Path, host: Host, stack: contextlib.ExitStack, kept: Sequence[Layer] | None = None
) -> Prepared:
    """Prepare a run; every descriptor that is opened is closed by `stack`.

    Args:
        view: What the run may see.
        state_dir: This run's own directory, as `make_state` leaves it.
        host: Which ids the overlay can name.
        stack: Closes the descriptors.
        kept: The layers of a run that is taken up again, in the order of the view's writable grants.

    Raises:
        PathRefusedError: A grant is not what it was, or cannot be made writable safely.
        SandboxError: The run directory is none.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mountinfo = file.read()
    mounts: list[Mount] = []
    warnings: list[str] = []
    writable: list[tuple[PathGrant, str]] = []
    for grant in view.grants:
        refuse_submounts(grant, mountinfo)
        descriptor = _owned(stack, open_grant(grant))
        found = os.fstat(descriptor)
        slot = str(len(writable)) if grant.mode == "rw" else ""
        copied = False
        if slot:
            writable.append((grant, slot))
            if kept is None:
                copied = _make_slot(grant, slot, descriptor, state_dir, host, warnings)
            else:
                copied = _kept_slot(grant, slot, state_dir, kept)
        mounts.append(Mount(grant.path, grant.mode, (found.st_dev, found.st_ino), descriptor, slot, copied))
    os.close(walk_directory(view.cwd))
    outbox = _owned(stack, os.open(state_dir / OUTBOX, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    layers = tuple(
        Layer(grant, grant.path, state_dir / UPPER / slot, marker_ctime_ns(Path(grant.path), state_dir))
        if kept is None
        else replace(kept[int(slot)], grant=grant)
        for grant, slot in writable
    )
    watched = (state_dir / UPPER, state_dir / OUTBOX, state_dir / HOME)
    (state_dir / HOME).mkdir(mode=0o700, exist_ok=True)  # a run that an earlier version set aside has none
    inbox, home = (
        _owned(stack, os.open(state_dir / name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
        for name in (INBOX, HOME)
    )
    return Prepared(tuple(mounts), layers, outbox, inbox, home, tuple(warnings), watched)


def walk_directory(path: str) -> int:
    """Open the run directory, which must be one and be reached without a link.

    Raises:
        SandboxError: `cwd_missing`, or as `walk.walk`.
    """
    descriptor = walk(path)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise SandboxError(
        "cwd_missing", f"The run directory {path} is not a directory.", "Name another with --cwd."
    )


def marker_ctime_ns(grant: Path, state_dir: Path) -> int:
    """Take a moment on the clock of a grant's file system, later than every change made before this call.

    A file without a name is made there, which no one sees. The kernel stamps files with a clock that ticks a
    few hundred times a second, so a second one is awaited that carries a later stamp than the first.
    """
    first = _stamp(grant, state_dir)
    while (later := _stamp(grant, state_dir)) <= first:
        time.sleep(_TICK_S)
    return later


def _stamp(grant: Path, state_dir: Path) -> int:
    for directory in (grant, state_dir):
        try:
            descriptor = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in _NO_NAMELESS_FILE:
                raise
            continue
        try:
            return os.fstat(descriptor).st_ctime_ns
        finally:
            os.close(descriptor)
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def _make_slot(
    grant: PathGrant, slot: str, descriptor: int, state_dir: Path, host: Host, warnings: list[str]
) -> bool:
    """Make the directories of one overlay; return whether it goes over a copy."""
    found = survey(descriptor, grant.path, uids=host.uids, gids=host.gids)
    root = os.fstat(descriptor)
    for name in (UPPER, "work", "merged"):
        directory = state_dir / name / slot
        directory.mkdir()
        # The top of the merged tree has the owner and the mode of the upper directory.
        os.chmod(directory, stat.S_IMODE(root.st_mode) & 0o777)
        if os.geteuid() == 0:
            os.chown(directory, root.st_uid, root.st_gid)
    if found.linked:
        warnings.append(
            f"{grant.path} holds {found.linked} files with another name, which may lie outside it."
        )
    if not found.foreign and _own(root, host):
        return False
    copied = copy_tree(descriptor, state_dir / "copy" / slot, size_bytes=found.size_bytes)
    warnings.append(_copy_warning(grant, found, copied.left_out))
    return True


def _kept_slot(grant: PathGrant, slot: str, state_dir: Path, kept: Sequence[Layer]) -> bool:
    """Take up the overlay of a kept run; return whether it goes over a copy."""
    number = int(slot)
    if number >= len(kept) or kept[number].lower != grant.path:
        raise SandboxError(
            "not_kept",
            f"What was kept of the run is not of {grant.path}.",
            "Discard it, and ask again.",
        )
    return (state_dir / "copy" / slot).exists()


def _own(status: os.stat_result, host: Host) -> bool:
    return any(status.st_uid in each for each in host.uids) and any(
        status.st_gid in each for each in host.gids
    )


def _copy_warning(grant: PathGrant, found: Survey, left_out: int) -> str:
    first = found.foreign_paths[0] if found.foreign_paths else grant.path
    rest = f"; {left_out} entries could not be read and are missing in the copy" if left_out else ""
    return f"{grant.path} was copied for this run, because it holds files of other owners (such as {first}){rest}."


def _owned(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
