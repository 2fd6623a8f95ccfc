"""Kill -9 of a person's machines at every durable step of pairing, rotation, panic, revocation and recovery.

An ordinary run kills the newer machines at a share of the points; `DISPATCH_TEST_CRASHES=all` kills each at all of them, `=7/25` at
the seventh of 25 shares.
"""

import os
from pathlib import Path

import pytest

from tests.support import crash_points
from tests.support.crash_points import Moment, Point
from tests.support.keeping import kept
from tests.support.mortality import ITSELF, NOBODY, Ledger, Mortality
from tests.support.one_household import OneHousehold

ASKED = os.environ.get("DISPATCH_TEST_CRASHES", "").replace("all", "0/1")
ORDINARY = "9/25"  # around the keys, the chain and the account of a machine that joins
REMEMBERED = {
    "older": {"chain", "untold_since", "device_names", "panic_ms", "recovered_device_unfed"},
    "newer": {"chain", "account", "joining_chain", "device_names", "panic_ms", "panics_heard", "revoked_ms"},
}
OWED = {
    "older": {
        ("Plan", "undo"),
        ("Unplan", "undo"),
        ("Plan", "originals"),
        ("Plan", "rotate"),
        ("Send", "log"),
    },
    "newer": {("Plan", "rotate"), ("Plan", "beat"), ("Put", "Household"), ("Send", "log")},
}
STORED = {"older": {"keys"}, "newer": {"keys", "end"}}


def wanted(who: str) -> set[tuple[str, str, Moment]]:
    """Return what a machine must be able to die at, beside the effects that every story passes."""
    remembered = {("Remembered", key, moment) for key in REMEMBERED[who] for moment in crash_points.KEEPING}
    owed = {(effect, about, moment) for effect, about in OWED[who] for moment in crash_points.KEEPING}
    return (
        owed
        | remembered
        | {("Stored", what, moment) for what in STORED[who] for moment in crash_points.ACTING}
    )


def passed(points: list[Point]) -> set[tuple[str, str, Moment]]:
    return {(point.effect, point.about, point.moment) for point in points}


async def test_story_passes_every_durable_step_of_a_household(place: Path) -> None:
    household = OneHousehold(place)
    ledgers = {who: Ledger(place / f"{who}.ledger") for who in ("older", "newer")}
    for who, ledger in ledgers.items():
        household.doomed(Mortality(ledger, NOBODY), newer=who == "newer")
    async with kept(household.broker, household.older.keeper):
        await household.sign_in()
        await household.live(0)
    for who, ledger in ledgers.items():
        assert wanted(who) - passed(ledger.deaths()) == set(), who


@pytest.mark.timeout(3600 if ASKED else 120)
@pytest.mark.parametrize("who", ["older", "newer"] if ASKED else ["newer"])
async def test_killed_at_its_steps_a_household_stays_one(place: Path, who: str) -> None:
    household = OneHousehold(place)
    ledger = Ledger(place / "ledger")
    turn, _, of = (ASKED or ORDINARY).partition("/")
    async with kept(household.broker, household.older.keeper):
        await household.sign_in()
        household.doomed(Mortality(ledger, ITSELF, (int(turn), int(of))), newer=who == "newer")
        household.older.keeper.kill()  # from its next life on it may die
        number, died = 0, -1
        while len(ledger.deaths()) > died:  # until a round is lived without a death
            died = len(ledger.deaths())
            await household.live(number)
            number += 1
    print(f"{who}: {died} deaths in {number} rounds: {', '.join(map(str, ledger.deaths()))}")
    assert died > 0
