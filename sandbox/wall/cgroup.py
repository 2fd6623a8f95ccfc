"""A control group for one run, where this user may make one.

Where it may not, a watchdog counts instead; the run's confinement says which of the two it was. Version 2 is
used where its memory and pids controllers are delegated to us (systemd does that for a user's services), and
version 1 where its hierarchies are writable. Sources: cgroups(7), the kernel's `cgroup-v2.rst`.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.job import Limits
from sandbox.wall.policy import OWN_PROCESSES

_CONTROLLERS = ("memory", "pids")
_PREFIX = "dispatch-"
_TRIES, _PAUSE_S = 200, 0.01


@dataclass(frozen=True, slots=True)
class Group:
    """One run's group: a single directory in version 2, one for each controller in version 1."""

    directories: tuple[Path, ...]
    version: int

    def add(self, process: int) -> bool:
        """Move a process in, where everything it starts later is born; return whether the kernel allowed it."""
        try:
            for directory in self.directories:
                (directory / "cgroup.procs").write_text(str(process))
        except OSError:
            return False
        return True

    def out_of_memory(self) -> bool:
        """Tell whether the kernel killed something in the group for going over its memory limit."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        text = (self.directories[0] / name).read_text()
        counts = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
        return int(counts.get("oom_kill", "0")) > 0

    async def remove(self) -> None:
        """Remove the group, which the kernel allows a moment after its last process is gone."""
        for _ in range(_TRIES):
            if all(_removed(directory) for directory in self.directories):
                return
            await asyncio.sleep(_PAUSE_S)


def create(run_id: str, limits: Limits) -> Group | None:
    """Make a limited group below our own; None where this user may not, or a controller is missing."""
    own = Path("/proc/self/cgroup").read_text()
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    for version, parents in candidates(own, mounts):
        made: list[Path] = []
        try:
            for parent in parents:
                _sweep(parent)
                directory = parent / f"{_PREFIX}{os.getpid()}-{run_id}"
                directory.mkdir()
                made.append(directory)
            _set_limits(made, version, limits)
        except OSError:
            for directory in made:
                directory.rmdir()
            continue
        return Group(tuple(made), version)
    return None


def candidates(own: str, mountinfo: str) -> tuple[tuple[int, tuple[Path, ...]], ...]:
    """List where a group could be made, best first: (version, parent directories).

    Args:
        own: `/proc/self/cgroup`.
        mountinfo: `/proc/self/mountinfo`.

    In version 2 a group with processes of its own cannot hand controllers down, so our parent is tried too.
    """
    paths = {names: path for _, names, path in (line.split(":", 2) for line in own.splitlines())}
    found: list[tuple[int, tuple[Path, ...]]] = []
    unified = _mount_point(mountinfo, "cgroup2", "")
    if unified is not None and "" in paths:
        here = unified / paths[""].lstrip("/")
        found += [(2, (each,)) for each in (here, here.parent) if each.is_relative_to(unified)]
    hierarchies = [(_mount_point(mountinfo, "cgroup", each), _own_path(paths, each)) for each in _CONTROLLERS]
    if all(point is not None for point, _ in hierarchies):
        found.append((1, tuple(point / path for point, path in hierarchies if point is not None)))
    return tuple(found)


def _set_limits(directories: Sequence[Path], version: int, limits: Limits) -> None:
    """Write the limits; a file that is not there means that the controller is not ours to use."""
    memory, pids = directories[0], directories[-1]
    settings = [(pids / "pids.max", limits.processes + OWN_PROCESSES)]
    if version == 2:
        settings += [(memory / "memory.max", limits.memory_bytes)]
        optional = [(memory / "memory.swap.max", 0), (memory / "memory.oom.group", 1)]
    else:
        settings += [(memory / "memory.limit_in_bytes", limits.memory_bytes)]
        optional = [(memory / "memory.memsw.limit_in_bytes", limits.memory_bytes)]
    for file, value in settings + [each for each in optional if each[0].exists()]:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, str(value).encode())
        finally:
            os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove the groups of launchers that were killed before they could."""
    for stale in parent.glob(f"{_PREFIX}*"):
        launcher = stale.name.removeprefix(_PREFIX).split("-")[0]
        if not os.path.exists(f"/proc/{launcher}"):
            _removed(stale)


def _removed(directory: Path) -> bool:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _own_path(paths: dict[str, str], controller: str) -> str:
    for names, path in paths.items():
        if controller in names.split(","):
            return path.lstrip("/")
    return ""


def _mount_point(mountinfo: str, kind: str, controller: str) -> Path | None:
    """Find where a hierarchy is mounted; a version 1 hierarchy names its controllers in its options."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        words = after.split()
        if len(words) >= 3 and words[0] == kind and (not controller or controller in words[2].split(",")):
            return Path(before.split(" ")[4])
    return None
