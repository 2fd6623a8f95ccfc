"""A figure: a value with its unit, how often it was measured, how far the measurements lay apart, and its floor."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. `low` and `high` are the smallest and largest of all `samples`; `floor` names a figure."""

    name: str
    words: str
    unit: str
    value: float
    samples: int
    low: float
    high: float
    floor: str | None = None


class Sheet:
    """The figures of one run, in the order in which they were measured."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.figures: dict[str, Figure] = {}
        self.progress = progress

    def note(
        self, name: str, words: str, unit: str, values: Sequence[float], *, floor: str | None = None
    ) -> None:
        """Keep the median of what was measured."""
        self._keep(name, words, unit, values, quantile(values, 0.5), floor)

    def note_times(
        self, name: str, words: str, values_s: Sequence[float], *, floor: str | None = None
    ) -> None:
        """Keep median and 95th percentile of durations, in milliseconds, as two figures with the same floor."""
        values_ms = [value * 1000 for value in values_s]
        for mark, share in (("p50", 0.5), ("p95", 0.95)):
            self._keep(
                f"{name}_{mark}", f"{words}, {mark}", "ms", values_ms, quantile(values_ms, share), floor
            )

    def _keep(
        self, name: str, words: str, unit: str, values: Sequence[float], value: float, floor: str | None
    ) -> None:
        if name in self.figures:
            raise ValueError(f"{name} was measured before")
        if floor is not None and floor not in self.figures:
            raise ValueError(f"{name} stands on {floor}, which was not measured")
        figure = Figure(
            name=name,
            words=words,
            unit=unit,
            value=value,
            samples=len(values),
            low=min(values),
            high=max(values),
            floor=floor,
        )
        self.figures[name] = figure
        self.progress(f"{words}: {value:,.3f} {unit}")

    def floor_of(self, figure: Figure) -> Figure | None:
        """Return the figure that another one stands on."""
        return None if figure.floor is None else self.figures[figure.floor]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Append how many seconds a block took."""
    began_s = time.perf_counter()
    yield
    into.append(time.perf_counter() - began_s)


def repeat(act: Callable[[], object], times: int) -> list[float]:
    """Do something once for warmth, then so often, and return how many seconds each took."""
    act()
    taken_s: list[float] = []
    for _ in range(times):
        with timed(taken_s):
            act()
    return taken_s
