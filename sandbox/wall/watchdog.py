"""Watch a run from outside and say when it has used more than its limits allow.

The kernel bounds single processes by itself (`brief.rlimits`) and, where a control group could be made, the
whole. What no kernel limit bounds is looked at four times a second: the clock, the disk a run fills with its
changes and artifacts, and, without a group, the memory and number of its processes. The watchdog only judges;
the runner kills.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import LimitExceededError
from sandbox.job import Limits
from sandbox.wall.census import Census, Count
from sandbox.wall.cgroup import Group
from sandbox.wall.policy import OWN_PROCESSES

PERIOD_S = 0.25
_MAX_PATH_BYTES = 3800  # PATH_MAX is 4096, a name at most 255
_MAX_LOCKS = 16
_RESERVED_SHARE = 32  # below a thirty-second of the machine's memory, everything else on it is in danger


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree takes on disk: allocated bytes and the number of its entries."""

    size_bytes: int
    entries: int
    too_deep: bool = False


@dataclass(frozen=True, slots=True)
class Meters:
    """What can be read of a run: its directories on disk, and either a control group or a census."""

    directories: tuple[Path, ...]
    group: Group | None
    census: Census | None


def exceeded(
    limits: Limits, *, used_s: float, disk: Usage, inside: Count | None, oom: bool
) -> LimitExceededError | None:
    """Judge one reading; the first limit in this order is the one that is named."""
    if used_s >= limits.wall_s:
        return _error("wall_clock", f"The run took longer than {limits.wall_s:g} s.")
    if oom or (inside is not None and inside.memory_bytes > limits.memory_bytes):
        return _error("memory", f"The run used more than {limits.memory_bytes:,} bytes of memory.")
    if inside is not None and inside.available_bytes < inside.total_bytes // _RESERVED_SHARE:
        return _error("memory", "The machine has almost no memory left.")
    if inside is not None and inside.processes > limits.processes + OWN_PROCESSES:
        return _error("processes", f"The run had more than {limits.processes} processes.")
    if disk.size_bytes > limits.upper_bytes:
        return _error("disk", f"The run wrote more than {limits.upper_bytes:,} bytes.")
    if disk.too_deep:
        return _error("files", "The run nested directories deeper than a path can name.")
    if disk.entries > limits.upper_files:
        return _error("files", f"The run made more than {limits.upper_files:,} files.")
    return None


async def watch(
    limits: Limits, meters: Meters, clock: Callable[[], float], started_s: float
) -> LimitExceededError:
    """Return the first limit that is exceeded; runs until then or until cancelled.

    Args:
        limits: What the run may use.
        meters: What is read.
        clock: Seconds that never go back, such as the event loop's.
        started_s: When the run began, on that clock.
    """
    while True:
        reading_from = clock()
        disk, inside, oom = await asyncio.to_thread(_read, meters)
        error = exceeded(limits, used_s=clock() - started_s, disk=disk, inside=inside, oom=oom)
        if error is not None:
            return error
        # A tree so large that reading it takes long is read less often: never more than half the time.
        pause_s = max(PERIOD_S, clock() - reading_from)
        await asyncio.sleep(max(0.0, min(pause_s, started_s + limits.wall_s - clock())))


def _read(meters: Meters) -> tuple[Usage, Count | None, bool]:
    return (
        disk_usage(meters.directories),
        None if meters.census is None else meters.census.take(),
        meters.group is not None and meters.group.out_of_memory(),
    )


def disk_usage(directories: Sequence[Path], *, locks: int = 0) -> Usage:
    """Add up what trees take on disk, following no link; what goes meanwhile counts nothing.

    A tree nested too deeply to be named, or behind too many locked directories, would hide what lies in it, so
    it is told rather than passed over. `locks` counts the locked directories this one lies behind.
    """
    size = entries = 0
    pending = [str(each) for each in directories]
    while pending:
        directory = pending.pop()
        if len(os.fsencode(directory)) > _MAX_PATH_BYTES or locks > _MAX_LOCKS:
            return Usage(size, entries, too_deep=True)
        try:
            found = list(os.scandir(directory))
        except PermissionError:
            behind = _usage_behind(directory, locks)
            size, entries = size + behind.size_bytes, entries + behind.entries
            if behind.too_deep:
                return Usage(size, entries, too_deep=True)
            continue
        except OSError:
            continue
        for entry in found:
            status = _status(entry)
            entries += 1
            size += status.st_blocks * 512 if status else 0
            if status and stat.S_ISDIR(status.st_mode):
                pending.append(entry.path)
    return Usage(size, entries)


def _usage_behind(directory: str, locks: int) -> Usage:
    """Look into a directory whose mode shuts us out: a run could fill files it holds open behind it.

    Such a directory is ours, since everything inside runs as this user; its mode is put back at once.
    """
    try:
        descriptor = os.open(directory, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return Usage(0, 0)
    name = f"/proc/self/fd/{descriptor}"
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        os.chmod(name, 0o700)
        try:
            return disk_usage([Path(directory)], locks=locks + 1)
        finally:
            os.chmod(name, mode)
    except PermissionError:
        return Usage(0, 0)
    finally:
        os.close(descriptor)


def _status(entry: "os.DirEntry[str]") -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _error(code: str, detail: str) -> LimitExceededError:
    return LimitExceededError(code, detail, "Raise the limit in the scope if the task needs more.")
