"""How often something may be done: some times at once, and then once in each interval."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """A burst that comes back one interval at a time (the generic cell rate algorithm, in milliseconds)."""

    burst: int
    interval_ms: int
    _whole_ms: int = 0  # when the burst is whole again

    def may(self, now_ms: int) -> bool:
        """Say whether there is one left of the burst."""
        return self.rest_ms(now_ms) <= (self.burst - 1) * self.interval_ms

    def rest_ms(self, now_ms: int) -> int:
        """Return how long it takes until the burst is whole again: for whoever can wait, and leaves it to others."""
        return max(0, self._whole_ms - now_ms)

    def spend(self, now_ms: int) -> None:
        """Take one of the burst."""
        self._whole_ms = max(self._whole_ms, now_ms) + self.interval_ms
