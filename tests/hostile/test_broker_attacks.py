"""Every named attack of whoever owns the broker's machine is detected, or harmless; honest work goes on beside it.

The attacks stand in `tests/support/hostile_broker/attacks/`, and as a table in `docs/HOSTILE_RELAY.md`. People, their
daemons and the broker are real processes that speak TLS with a certificate of the owner's.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile_broker.attacks import ATTACKS, Attack
from tests.support.hostile_broker.village import Village


class Villages:
    """The village that the tests of one process share; after a test that failed, the next one gets a new one."""

    def __init__(self) -> None:
        self._village: Village | None = None

    def open(self) -> Village:
        """Return the village, in which an honest run went through before anything else."""
        if self._village is None:
            self._village = Village(Path(tempfile.mkdtemp(prefix="dsp-")))
            self._village.open()
            self._village.works()
        return self._village

    def close(self) -> None:
        """End everybody in it."""
        village, self._village = self._village, None
        if village is not None:
            village.close()
            shutil.rmtree(village.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def villages() -> Iterator[Villages]:
    """One village for all attacks: each leaves it as it was, or the next test says so."""
    all_of_them = Villages()
    yield all_of_them
    all_of_them.close()


def test_there_are_many_attacks_and_each_has_a_name_of_its_own() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(names) == len(set(names)) >= 60


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
def test_attack_is_detected_or_harmless(villages: Villages, attack: Attack) -> None:
    """Nothing dies, nobody writes of trouble inside, and honest work goes on beside it and after it."""
    village = villages.open()
    before = village.broker.deeds
    try:
        attack.play(village)
        assert village.broker.deeds > before, "the attack never took place"
        village.honest()
        village.well()
    except BaseException:
        villages.close()
        raise
