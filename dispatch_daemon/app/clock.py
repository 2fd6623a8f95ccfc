"""Time and randomness for the whole daemon: the one place that asks the operating system for either.

Decisions never go back in time: a moment is at least the latest time the journal has seen, so a clock that
was set back cannot make an expired task young again.
"""

import secrets
import time
import uuid
from pathlib import Path

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.core.composing import Moment

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """The clock of one daemon, with the journal's floor under it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def now_ms(self) -> int:
        """Return the present time in milliseconds since 1970, never before the journal's latest."""
        return max(self.wall_ms(), self._journal.floor_ms)

    def wall_ms(self) -> int:
        """Return the machine's clock in milliseconds since 1970, whatever the journal has seen."""
        return wall_ms()

    def random(self, size_bytes: int) -> bytes:
        """Draw bytes that nobody can guess."""
        return secrets.token_bytes(size_bytes)

    def moment(self) -> Moment:
        """Draw the time and the randomness of one decision."""
        return Moment(now_ms=self.now_ms(), seed=self.random(32))


def wall_ms() -> int:
    """Return the machine's clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def boottime_s() -> float:
    """Return seconds since the machine started, sleep included: timers that must survive a closed lid use it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def life_name() -> str:
    """Return a name for this life of the daemon: the machine's boot and a random part."""
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else "unknown"
    return f"{boot}/{uuid.uuid4()}"
