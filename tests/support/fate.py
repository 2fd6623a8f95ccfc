"""Time and dice that a test decides, so that a story told again is the same story to the last byte."""

import hashlib

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from tests.support.documents import NOW_MS


class Fate:
    """Time and dice of one world: the same draws for everybody who begins with the same word."""

    def __init__(self, word: str) -> None:
        self._word = word.encode()
        self._draws = 0
        self._now_ms = NOW_MS

    def random(self, size_bytes: int) -> bytes:
        """Return the next bytes."""
        self._draws += 1
        return hashlib.shake_256(self._word + self._draws.to_bytes(8)).digest(size_bytes)

    def now_ms(self) -> int:
        """Return the present time, a little later at every look."""
        self._now_ms += 1
        return self._now_ms


class FatedClock(Clock):
    """The clock of one daemon in a world whose time and dice are decided."""

    def __init__(self, journal: Journal, fate: Fate) -> None:
        super().__init__(journal)
        self._fate = fate

    def wall_ms(self) -> int:
        return self._fate.now_ms()

    def random(self, size_bytes: int) -> bytes:
        return self._fate.random(size_bytes)
