"""How much is measured: enough for a figure that repeats, or just enough to see that everything works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """The numbers of one run."""

    starts: int  # of a process
    small: int  # acts of microseconds to a millisecond
    dispatches: int  # one after the other
    burst: tuple[tuple[int, int], ...]  # (senders, dispatches) of each burst
    sessions: int  # idle ones
    boxes: int
    calls: int  # inside a box
    files: tuple[int, ...]  # of each changeset


FULL = Sizes(
    starts=30,
    small=500,
    dispatches=400,
    burst=((1, 800), (8, 3_000), (32, 4_000)),
    sessions=1_000,
    boxes=15,
    calls=100,
    files=(1, 100, 10_000),
)
QUICK = Sizes(
    starts=2,
    small=10,
    dispatches=5,
    burst=((1, 5), (8, 24)),
    sessions=10,
    boxes=1,
    calls=3,
    files=(1, 20),
)
