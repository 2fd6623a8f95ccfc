"""Death by SIGKILL at crash points, each chosen one once, over as many lives as that takes.

`DISPATCH_TEST_MORTALITY` says in JSON what dies (`"itself"`; `"its runs"`, every process below it; or `"nobody"`), which share of
the points is chosen (`[k, n]`: the k-th of n shares; every point is in one of them, the same each time), and where the
ledger lies: what killed an earlier life kills no later one.
"""

import hashlib
import json
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.crash_points import Moment, Point, is_kept, points_of
from tests.support.processes import members

VARIABLE = "DISPATCH_TEST_MORTALITY"
ITSELF, ITS_RUNS, NOBODY = "itself", "its runs", "nobody"


@dataclass
class Ledger:
    """The points at which a program has died, one a line, written by each life before it ends."""

    path: Path

    def deaths(self) -> list[Point]:
        """Return them in their order."""
        if not self.path.exists():
            return []
        words = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [Point(effect, about, Moment(moment)) for effect, about, moment in words]

    def enter(self, point: Point) -> None:
        """Write one down; the page cache outlives a process, so nothing more is needed."""
        with self.path.open("a") as file:
            file.write(json.dumps([point.effect, point.about, point.moment]) + "\n")


@dataclass
class Mortality:
    """What this life may die of, and the effects that it has written and not committed yet."""

    ledger: Ledger
    victim: str = ITSELF
    share: tuple[int, int] = (0, 1)
    batch: list[object] = field(default_factory=list)
    survived: set[Point] = field(default_factory=set)

    @classmethod
    def of_environment(cls) -> "Mortality":
        """Read what the test has decided."""
        said = json.loads(os.environ.get(VARIABLE, "null"))
        if said is None:
            return cls(Ledger(Path(os.devnull)), NOBODY, share=(1, 1))  # no share: no point is chosen
        ledger = Ledger(Path(said["ledger"]))
        turn, of = said["share"]
        return cls(ledger, said["victim"], (turn, of), survived=set(ledger.deaths()))

    def environment(self) -> dict[str, str]:
        """Return what tells it to a program."""
        said = {"ledger": str(self.ledger.path), "victim": self.victim, "share": self.share}
        return {VARIABLE: json.dumps(said)}

    def chooses(self, point: Point) -> bool:
        """Say whether a point is in the share that was asked for."""
        turn, of = self.share
        return int.from_bytes(hashlib.sha256(str(point).encode()).digest()[:4]) % of == turn

    def written(self, effects: Iterable[object]) -> None:
        """Note what the next commit will keep."""
        self.batch += [effect for effect in effects if is_kept(effect)]

    def committing(self) -> None:
        """Die before a commit."""
        for effect in self.batch:
            self.reach(effect, Moment.UNKEPT)

    def committed(self) -> None:
        """Die after a commit, before anybody has heard of it."""
        batch, self.batch = self.batch, []
        for effect in batch:
            self.reach(effect, Moment.KEPT)

    def reach(self, effect: object, moment: Moment) -> None:
        """Come to a point, and go on from it only if it was survived before."""
        point = points_of(effect, moment)
        if point in self.survived or not self.chooses(point):
            return
        victims = self._victims()
        if victims or self.victim == NOBODY:
            self.ledger.enter(point)
            self.survived.add(point)
        for pid in victims:
            _kill(pid)

    def _victims(self) -> list[int]:
        match self.victim:
            case "nobody":
                return []
            case "its runs":
                return members(os.getpid())
            case _:
                return [os.getpid()]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # a kill before this one took it along
