"""How often something may be done: some times at once, and then once in each interval."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """A burst that comes back one interval at a time (the generic cell rate algorithm, in milliseconds).

    A clock that is put back makes nobody wait until it has come to where it was.
    """

    burst: int
    interval_ms: int
    _whole_ms: int = 0  # when the burst is whole again

    def may(self, now_ms: int) -> bool:
        """Say whether there is one left of the burst."""
        return self.rest_ms(now_ms) <= (self.burst - 1) * self.interval_ms

    def rest_ms(self, now_ms: int) -> int:
        """Return how long it takes until the burst is whole again: for whoever can wait, and leaves it to others."""
        rest_ms = self._whole_ms - now_ms
        return max(0, rest_ms) if rest_ms <= self._most_ms else 0

    def spend(self, now_ms: int) -> None:
        """Take one of the burst."""
        self._whole_ms = now_ms + min(self.rest_ms(now_ms) + self.interval_ms, self._most_ms)

    @property
    def _most_ms(self) -> int:
        """How long a burst that is spent, and one more, takes to come back."""
        return (self.burst + 1) * self.interval_ms
