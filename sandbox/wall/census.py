"""Count what runs inside and what memory it uses, seen from outside.

The sandbox has its own /proc, which shows exactly the processes of its pid namespace; it is reached through
process 1's root. So the cost is that of the run's processes and not of the whole machine's, and no process
can leave the count by leaving its parent.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """How many processes there are, their proportional share of memory (PSS), and what the machine has left.

    Memory that no process has mapped just now (files in memory, queued data) is in nobody's share. What the
    machine has left shows it, so that a run which hides memory still cannot take all of it.
    """

    processes: int
    memory_bytes: int
    available_bytes: int
    total_bytes: int


class Census:
    """A door into the sandbox's own /proc; `close` it."""

    def __init__(self, first_process: int) -> None:
        """Open the door.

        Raises:
            OSError: The process is gone, or may not be looked at.
        """
        self._proc = os.open(f"/proc/{first_process}/root/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def take(self) -> Count:
        """Count now; processes that end meanwhile count as far as they were seen."""
        numbers = [name for name in os.listdir(self._proc) if name.isdigit()]
        with open("/proc/meminfo", "rb") as file:
            total, available = machine_bytes(file.read())
        return Count(len(numbers), sum(self._share(number) for number in numbers), available, total)

    def close(self) -> None:
        os.close(self._proc)

    def _share(self, number: str) -> int:
        try:
            descriptor = os.open(f"{number}/smaps_rollup", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        except OSError:
            return 0
        try:
            return share_bytes(os.read(descriptor, 4096))
        except OSError:
            return 0
        finally:
            os.close(descriptor)


def share_bytes(rollup: bytes) -> int:
    """Read the `Pss:` line of `smaps_rollup` (proc_pid_smaps(5)); 0 where there is none."""
    for line in rollup.splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def machine_bytes(meminfo: bytes) -> tuple[int, int]:
    """Read total and available memory from `/proc/meminfo` (proc_meminfo(5))."""
    lines = dict(line.split(b":", 1) for line in meminfo.splitlines() if b":" in line)
    total, available = (int(lines[name].split()[0]) * 1024 for name in (b"MemTotal", b"MemAvailable"))
    return total, available
