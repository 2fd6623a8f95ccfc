"""Count what runs inside and what memory it uses, seen from outside.

The sandbox has its own /proc, which shows exactly the processes of its pid namespace; it is reached through
process 1's root. So the cost is that of the run's processes and not of the whole machine's, and no process
can leave the count by leaving its parent.

Memory is counted where it can hide: in the shares of processes, in nameless files that a process holds open, and on
the scratch file systems, whose every name takes memory of the kernel even when the file is empty.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

_NAME_BYTES = 1024  # what the kernel keeps for an inode in memory and its name


@dataclass(frozen=True, slots=True)
class Count:
    """How many processes there are, every thread counted, the memory they use, and what the machine has left.

    Data on its way through pipes and sockets is in no count. What the machine has left shows it, so that a run
    which hides memory still cannot take all of it.
    """

    processes: int
    memory_bytes: int
    available_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Share:
    """One process's proportional part of the memory it has mapped: its own and files', and files in memory."""

    own_bytes: int = 0
    shared_bytes: int = 0


class Census:
    """A door into the sandbox's own /proc and its scratch file systems; `close` it."""

    def __init__(self, first_process: int, scratch: Sequence[str]) -> None:
        """Open the door.

        Args:
            first_process: Process 1 of the sandbox, by its number outside.
            scratch: The scratch file systems, as they are called inside.

        Raises:
            OSError: The process is gone, or may not be looked at.
        """
        root = f"/proc/{first_process}/root"
        self._nameless = _nameless_device()
        with contextlib.ExitStack() as opened:
            self._proc = _keep(opened, os.open(f"{root}/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            self._scratch = [
                _keep(opened, os.open(root + place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
                for place in scratch
            ]
            self._opened = opened.pop_all()

    def take(self) -> Count:
        """Count now; processes that end meanwhile count as far as they were seen."""
        numbers = [name for name in os.listdir(self._proc) if name.isdigit()]
        with open("/proc/meminfo", "rb") as file:
            total, available = machine_bytes(file.read())
        shares = [self._share(number) for number in numbers]
        in_files = self._nameless_bytes(numbers) + sum(
            scratch_bytes(os.statvfs(each)) for each in self._scratch
        )
        # What is in a file and mapped is in both counts, so the larger one counts.
        shared = max(in_files, sum(share.shared_bytes for share in shares))
        memory = shared + sum(share.own_bytes for share in shares)
        return Count(sum(self._threads(number) for number in numbers), memory, available, total)

    def close(self) -> None:
        self._opened.close()

    def _threads(self, number: str) -> int:
        try:
            return max(1, os.stat(f"{number}/task", dir_fd=self._proc).st_nlink - 2)
        except OSError:
            return 1

    def _share(self, number: str) -> Share:
        try:
            descriptor = os.open(f"{number}/smaps_rollup", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        except OSError:
            return Share()
        try:
            return read_share(os.read(descriptor, 4096))
        except OSError:
            return Share()
        finally:
            os.close(descriptor)

    def _nameless_bytes(self, numbers: Sequence[str]) -> int:
        """Add up the nameless files in memory that processes hold open, each once."""
        sizes: dict[int, int] = {}
        for number in numbers:
            with contextlib.suppress(OSError):
                folder = os.open(
                    f"{number}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._proc
                )
                try:
                    for name in os.listdir(folder):
                        sizes |= self._nameless_file(folder, name)
                finally:
                    os.close(folder)
        return sum(sizes.values())

    def _nameless_file(self, folder: int, name: str) -> dict[int, int]:
        try:
            status = os.stat(name, dir_fd=folder)
        except OSError:
            return {}
        return {status.st_ino: status.st_blocks * 512} if status.st_dev == self._nameless else {}


def _keep(opened: contextlib.ExitStack, descriptor: int) -> int:
    opened.callback(os.close, descriptor)
    return descriptor


def _nameless_device() -> int:
    """Find the file system in which the kernel makes nameless files, which nobody can mount."""
    descriptor = os.memfd_create("dispatch", os.MFD_CLOEXEC)
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def read_share(rollup: bytes) -> Share:
    """Read `smaps_rollup` (proc_pid_smaps(5)): its `Pss` is the whole, its `Pss_Shmem` what is files in memory."""
    rows = dict(line.split(b":", 1) for line in rollup.splitlines() if line.startswith(b"Pss"))
    whole, shared = (
        int(rows[name].split()[0]) * 1024 if name in rows else 0 for name in (b"Pss", b"Pss_Shmem")
    )
    return Share(whole - shared, shared)


def scratch_bytes(found: os.statvfs_result) -> int:
    """Say what a file system in memory takes: its blocks, and the kernel's part of each name."""
    blocks = (found.f_blocks - found.f_bfree) * found.f_frsize
    return blocks + (found.f_files - found.f_ffree) * _NAME_BYTES


def machine_bytes(meminfo: bytes) -> tuple[int, int]:
    """Read total and available memory from `/proc/meminfo` (proc_meminfo(5))."""
    lines = dict(line.split(b":", 1) for line in meminfo.splitlines() if b":" in line)
    total, available = (int(lines[name].split()[0]) * 1024 for name in (b"MemTotal", b"MemAvailable"))
    return total, available
