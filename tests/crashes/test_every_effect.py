"""Kill -9 of each program, and of the runs, at every effect: the story goes on, and its history keeps every promise.

The points come from the effect types. An ordinary run dies at a share of them; `DISPATCH_TEST_CRASHES=all` at each.
"""

import os
from pathlib import Path

import pytest

from tests.conftest import TIME_SCALE
from tests.support import crash_points
from tests.support.history.gathering import gathered
from tests.support.history.promises import broken
from tests.support.keeping import Keeper, kept
from tests.support.mortality import ITS_RUNS, ITSELF, NOBODY, Ledger, Mortality
from tests.support.two_people import TwoPeople

ALL = os.environ.get("DISPATCH_TEST_CRASHES") == "all"
MODULES = {"broker": "tests.support.mortal_broker"}
# No daemon asks a broker to bound an edge yet.
UNASKED = {"BoundEdge"}


def keeper_of(people: TwoPeople, who: str) -> Keeper:
    return {"broker": people.broker, "sender": people.alice.keeper, "recipient": people.bob.keeper}[who]


def doomed(people: TwoPeople, who: str, victim: str, share: tuple[int, int], place: Path) -> Ledger:
    """Let one program die at a share of its points."""
    mortality = Mortality(Ledger(place / f"{who}.ledger"), victim, share)
    keeper_of(people, who).program.environ = mortality.environment()
    return mortality.ledger


async def test_every_effect_is_a_crash_point_that_the_story_passes(place: Path) -> None:
    people = TwoPeople(place, MODULES)
    ledgers = {who: doomed(people, who, NOBODY, (0, 1), place) for who in ("broker", "sender", "recipient")}
    async with kept(*people.keepers):
        await people.sign_in()
        await people.live(0)
        await gathered(people.asked, people.alice, people.bob, patience_s=20 * TIME_SCALE)
    said = {(each.about, each.moment) for each in ledgers["recipient"].deaths() if each.effect == "Send"}
    assert {("checkpoint", moment) for moment in crash_points.KEEPING} <= said
    passed = {
        who: {(point.effect, point.moment) for point in ledger.deaths()} for who, ledger in ledgers.items()
    }
    wanted = {each for each in crash_points.of_broker() if each[0] not in UNASKED}
    assert wanted - passed["broker"] == set()
    assert crash_points.of_daemon() - passed["sender"] - passed["recipient"] == set()


@pytest.mark.timeout(1800 if ALL else 90)
@pytest.mark.parametrize(
    ("who", "victim", "of"),
    [("broker", ITSELF, 6), ("sender", ITSELF, 30), ("recipient", ITSELF, 30), ("recipient", ITS_RUNS, 16)],
    ids=["broker", "sender", "recipient", "runs"],
)
async def test_killed_at_effects_it_keeps_every_promise(place: Path, who: str, victim: str, of: int) -> None:
    people = TwoPeople(place, MODULES)
    ledger = doomed(people, who, victim, (0, 1 if ALL else of), place)
    async with kept(*people.keepers):
        await people.sign_in()
        number, died = 0, -1
        while len(ledger.deaths()) > died:  # until a round is lived without a death
            died = len(ledger.deaths())
            await people.live(number)
            number += 1
        history = await gathered(people.asked, people.alice, people.bob, patience_s=30 * TIME_SCALE)
    print(f"{who}, {victim}: {died} deaths in {number} rounds, {len(people.asked)} tasks")
    assert [str(each) for each in broken(history)] == []
    assert died > 0
    if ALL and victim == ITSELF and who == "broker":
        deaths = {(point.effect, point.moment) for point in ledger.deaths()}
        assert {each for each in crash_points.of_broker() if each[0] not in UNASKED} <= deaths
    if ALL and victim == ITSELF and who == "recipient":
        assert crash_points.of_daemon() <= {(point.effect, point.moment) for point in ledger.deaths()}
