"""People who do not answer: their clock is moved past each question's deadline instead of waiting for it."""

from pathlib import Path
from typing import Any

from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll

PATIENCE_MS = 121_000  # a question about a call waits for two minutes


class Shifted:
    """Alice, Bob and a broker; Alice's and Bob's clocks can be moved."""

    def __init__(self, place: Path) -> None:
        self.everybody = Neighbourhood(place, daemon_module="tests.support.shifted_daemon")
        self._places: dict[str, Path] = {}
        self._shifts: dict[str, int] = {}
        for person in (self.everybody.alice, self.everybody.bob):
            self._places[person.name] = place / f"{person.name}.clock"
            person.daemon.environ["DISPATCH_TEST_CLOCK"] = str(self._places[person.name])

    def shift(self, name: str, by_ms: int) -> None:
        """Set somebody's clock this far from the truth."""
        self._shifts[name] = by_ms
        beside = self._places[name].with_suffix(".new")
        beside.write_text(str(by_ms))
        beside.replace(self._places[name])

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
