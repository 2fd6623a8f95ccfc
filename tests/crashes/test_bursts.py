"""Kill -9 at random in a burst: nothing is lost, nothing ran twice, no file is half changed, every sender knows.

An ordinary run sends 36 tasks and kills the three programs and the runs themselves in turn. `DISPATCH_TEST_BURST=500`
sends so many for each of the four, and `DISPATCH_TEST_BURST_SEED` draws other moments.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import TIME_SCALE
from tests.support.burst import Burst, Runs, Victim
from tests.support.history.gathering import gathered
from tests.support.history.promises import broken
from tests.support.keeping import kept
from tests.support.two_people import TwoPeople

ASKED = os.environ.get("DISPATCH_TEST_BURST")
COUNT = int(ASKED or 36)
SEED = int(os.environ.get("DISPATCH_TEST_BURST_SEED", "1"))
NAMES = ("broker", "sender", "recipient", "run")
VICTIMS = [(name,) for name in NAMES] if ASKED else [NAMES]


@pytest.mark.timeout(90 + 4 * COUNT)
@pytest.mark.parametrize("victims", VICTIMS, ids=" ".join)
async def test_killed_at_random_in_a_burst_nothing_is_lost_or_done_twice(
    place: Path, victims: tuple[str, ...]
) -> None:
    people = TwoPeople(place)
    runs = Runs(people.bob.keeper, SEED)
    named: dict[str, Victim] = dict(zip(NAMES, [*people.keepers, runs], strict=True))
    async with kept(*people.keepers):
        await people.sign_in()
        await people.befriend(approval="auto", max_per_day=10_000)
        burst = Burst(people, COUNT, [named[name] for name in victims], kills=max(8, COUNT // 20), seed=SEED)
        await burst.live()
        history = await gathered(people.asked, people.alice, people.bob, patience_s=30 * TIME_SCALE)
    ends = Counter(each["status"] for each in history.author.listed)
    deaths = people.deaths | {"run": len(runs.killed)}
    print(f"{COUNT} tasks, seed {SEED}, deaths {deaths} {dict(Counter(runs.killed))}: {dict(ends)}")
    assert [str(each) for each in broken(history)] == []
    assert len(history.recipient.listed) == COUNT
    assert ends["completed"] > 0
    assert all(deaths[name] > 0 for name in victims)
    assert "run" not in victims or ends["failed"] > 0, "no run was interrupted"
