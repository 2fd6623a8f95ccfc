"""Alice, Bob and a broker as real processes, with clocks that a test moves while they run (`tests.support.shifted_daemon`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PATIENCE_MS = 121_000  # a question about a call waits for two minutes
_MODULE = "tests.support.shifted_daemon"


@contextmanager
def shifted_people(place: Path) -> Iterator["Shifted"]:
    """Everybody, started and signed in, for the length of a block."""
    made = Shifted(place)
    try:
        made.everybody.open()
        yield made
    finally:
        made.everybody.close()


class Shifted:
    """A neighbourhood in which everybody's clock can be moved but the broker's."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._shifts: dict[str, int] = {}
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
        self._shifts[name] = by_ms
        beside = self._clock_of(name).with_suffix(".new")
        beside.write_text(str(by_ms))
        beside.replace(self._clock_of(name))

    def pass_over(self, person: Person, question: dict[str, Any]) -> None:
        """Let a question's time go by without an answer."""
        self.shift(person.name, self._shifts.get(person.name, 0) + PATIENCE_MS)
        person.do("send", "me", "wake up")  # whoever plans something looks at what is due at once
        gone = question["request_id"]
        poll(
            lambda: gone not in {each["request_id"] for each in person.do("approvals")["approvals"]},
            f"{person.name} has not answered {gone[:8]}",
        )

    def park(self, person: Person, dispatch_id: str) -> dict[str, Any]:
        """Answer nothing until a run is set aside; returns its dispatch."""
        self.pass_over(person, person.question(dispatch_id))
        self.pass_over(person, person.question(dispatch_id))
        return person.until(dispatch_id, "waiting_input")
