"""What the broker counts about itself for its operator: events by closed lists of words, never a word about anybody.

Plain numbers, because they are counted on the way of every frame; `adapters/metrics.py` puts them into Prometheus's
words when somebody asks. No key may come from outside: whatever a stranger can choose would fill the memory, and tell.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

OK = "ok"  # the code of what was not refused
_DISK_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_GROUP = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class Spread:
    """How values are spread: how many fall at or below each bound, and what they add up to."""

    __slots__ = ("_bounds", "_fallen", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._fallen = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._fallen[bisect_left(self._bounds, value)] += 1
        self.total += value

    def steps(self) -> list[tuple[float, int]]:
        """Return each bound with how many values were not above it; the last bound is infinite."""
        reached, steps = 0, []
        for bound, fallen in zip((*self._bounds, float("inf")), self._fallen, strict=True):
            reached += fallen
            steps.append((bound, reached))
        return steps


@dataclass(slots=True)
class Counts:
    """Everything that is counted since the broker started; codes are `OK` or those of a refusal."""

    deposits: Counter[str] = field(default_factory=Counter)  # by code
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  # by operation and code
    handshakes: Counter[str] = field(default_factory=Counter)  # by code
    broken: Counter[str] = field(default_factory=Counter)  # sessions that ended over a broken rule, by code
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)  # by route and status
    deliveries: int = 0
    delivered_bytes: int = 0
    acknowledged: int = 0
    purged: int = 0
    commits_lost: int = 0
    commit_s: Spread = field(default_factory=lambda: Spread(_DISK_S))
    commit_waiters: Spread = field(default_factory=lambda: Spread(_GROUP))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits in all mailboxes together; `oldest_ms` is when the oldest of it came, None when nothing waits."""

    mailboxes: int
    rows: int
    size_bytes: int
    deepest_rows: int
    oldest_ms: int | None

    def age_ms(self, now_ms: int) -> int:
        """How long the oldest has waited; a clock that was set back makes nothing younger than new."""
        return 0 if self.oldest_ms is None else max(0, now_ms - self.oldest_ms)
