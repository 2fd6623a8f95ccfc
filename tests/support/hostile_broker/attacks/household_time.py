"""Attacks on what one's own devices tell each other day by day: words that are held back or lost, by people whose clocks go on.

Iris has a desk, which runs what a contact sends without asking, and a laptop. The clocks of both are moved by the test, forward
alone; the contact is an identity of the relay's owner, who dates her tasks as she likes.
"""

from pathlib import Path
from typing import Any

from dispatch_protocol.signing import dispatch_id
from tests.support.device import now_ms
from tests.support.hostile_broker.accomplice import Accomplice
from tests.support.hostile_broker.attacks.sequence import READ
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.household import Household, paired
from tests.support.hostile_broker.owner import TRUST
from tests.support.hostile_broker.village import Village
from tests.support.moved_clocks import DAY_MS
from tests.support.patience import poll
from tests.support.speaker import HOUR_MS

CHAPTER: list[Attack] = []
ADDRESS = "iris@example.org"


class Iris:
    """Somebody whose two machines are `days` ahead of everybody else's; the clock goes forward alone."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.days = 0
        self.clock = Path(village.directory) / "iris.clock"
        self.desk, self.laptop = (
            village.moves_in(name, ADDRESS, DISPATCH_TEST_CLOCK=str(self.clock))
            for name in ("iris-desk", "iris-laptop")
        )
        self.desk.post("/v1/login", broker=village.broker.url, email=ADDRESS, dev=True)
        paired(self.desk, self.laptop)
        village.broker.order("forget_pairings")
        self.friend, self.former = (
            self._contact() for _ in range(2)
        )  # while an invitation of today is still good

    def _contact(self) -> Accomplice:
        """Let somebody send tasks to Iris that run without questions, and both machines know of it."""
        author = Accomplice("author", self.village, self.desk)
        author.may_dispatch(approval="auto")
        for machine in (self.desk, self.laptop):
            self.village.in_force(machine, author.edge.uuid)
        return author

    def later(self, days: int) -> None:
        """Let days go by on both machines."""
        self.days += days
        beside = self.clock.with_suffix(".new")
        beside.write_text(str(self.days * DAY_MS))
        beside.replace(self.clock)

    def runs(self, author: Accomplice) -> dict[str, Any]:
        """Let somebody send a task of these days, and the desk accept it; returns it once it has ended or asks."""
        at_ms = now_ms() + self.days * DAY_MS
        task = author.task(
            "Read", steps=[READ], head=author.head(created_ms=at_ms, expires_ms=at_ms + HOUR_MS)
        )
        self.village.broker.deliver(Household.id(self.desk), author.sealed(task))
        name = str(dispatch_id(author.signed(task).digest))
        self.desk.post(f"/v1/dispatches/{name}/accept", cwd=str(self.village.project))
        return self.desk.shows(name, "completed", "failed", "waiting_approval")


def iris_of(village: Village) -> Iris:
    """Return Iris, who moves in when she is first asked for."""
    iris = village.homes.get(Iris) or Iris(village)
    assert isinstance(iris, Iris)
    village.homes[Iris] = iris
    return iris


@attack(
    CHAPTER,
    "a machine's daily word held back",
    does="keeps from the desk for eight days whatever the laptop says, while a contact's tasks run there without questions",
    outcome=Outcome.DETECTED,
    seen="after a week nothing of others runs by itself: the desk asks, and says that the laptop is silent; with the words, which "
    "count by when they were said, it goes on alone",
)
def held_back(village: Village) -> None:
    iris = iris_of(village)
    assert iris.runs(iris.friend)["decision"]["asks_because"] is None
    where = {"klass": TRUST, "device": Household.id(iris.laptop)}
    with village.broker.doing("hold", "Deliver", Household.id(iris.desk), **where) as held:
        iris.later(8)
        held.holds(1)  # the laptop has said that it is there
        state = iris.runs(iris.friend)
        assert (state["status"], state["decision"]["mode"]) == ("waiting_approval", "manual")
        assert "nothing was heard for a week of your device" in state["decision"]["asks_because"], state
        iris.desk.post(f"/v1/dispatches/{state['dispatch_id']}/cancel", reason="not unseen")
        held.release()
    state = iris.runs(iris.friend)
    assert (state["status"], state["decision"]["asks_because"]) == ("completed", None)


@attack(
    CHAPTER,
    "a machine's word swallowed for good",
    does="says of the laptop's word that Iris has ended a contact's edge there that it is kept, and throws it away",
    outcome=Outcome.DETECTED,
    seen="a day later the desk's own words show that it is lacking, and the laptop, whose log says so, tells it again: the edge is over",
)
def swallowed(village: Village) -> None:
    iris = iris_of(village)
    author, log = iris.former, len(iris.laptop.log)
    with village.broker.doing("claim", "Deposit", Household.id(iris.laptop), klass=TRUST) as claimed:
        iris.laptop.post("/v1/contacts/revoke", peer=author.device.address)
        claimed.done(2)  # what the contact is told, and what the desk is
        # And whatever else was on its way just then: not before all of it is thought to be kept is the desk's word lost.
        poll(lambda: not iris.laptop.journal("SELECT 1 FROM tasks WHERE kind = 'deposit'"), "nothing is owed")
    assert (iris.desk.edge(author.edge.uuid) or {})["status"] == "active"
    iris.later(2)
    iris.laptop.notes("it is told again", log)
    poll(lambda: (iris.desk.edge(author.edge.uuid) or {})["status"] == "revoked", "the desk knows at last")
