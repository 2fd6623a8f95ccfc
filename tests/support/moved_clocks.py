"""Alice, Bob and a broker as real processes, with clocks that a test moves while they run (`tests.support.shifted_daemon`)."""

from pathlib import Path

from tests.support.neighbourhood import Neighbourhood, Person

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_MODULE = "tests.support.shifted_daemon"


class Shifted:
    """A neighbourhood in which everybody's clock can be moved but the broker's."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.everybody = Neighbourhood(place, daemon_module=_MODULE)
        for person in (self.everybody.alice, self.everybody.bob):
            self._give_clock(person)

    def _give_clock(self, person: Person) -> None:
        person.daemon.environ["DISPATCH_TEST_CLOCK"] = str(self._clock_of(person.name))

    def _clock_of(self, name: str) -> Path:
        return self._place / f"{name}.clock"

    def another(self, name: str) -> Person:
        """Return one more machine, not started yet."""
        person = Person(name, self._place, module=_MODULE)
        self._give_clock(person)
        return person

    def shift(self, name: str, by_ms: int) -> None:
        """Set somebody's clock this far from the truth."""
        beside = self._clock_of(name).with_suffix(".new")
        beside.write_text(str(by_ms))
        beside.replace(self._clock_of(name))
