"""The attacks are live: against a daemon that leaves one check out they succeed, and their tests say so."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile_broker.attacks import ATTACKS
from tests.support.hostile_broker.village import Village

# What is left out, and an attack that must then be seen to succeed.
SEEDED = {
    "edge": "a revoked edge kept open",
    "between": "decisions and results of a third device",
    "signature": "answers in Bob's name",
    "code": "somebody in the middle",
    "fork": "two histories of one identity",
    "owner": "a handover kept from its taker",
    "verdict": "a yes of a phone that may only run things",
    "approver": "trust from a phone that may only run things",
    "history": "two histories of one machine's words",
}


@pytest.fixture
def village(request: pytest.FixtureRequest) -> Iterator[Village]:
    """A village whose daemons leave out one check."""
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))
    careless = Village(directory, careless=request.param)
    try:
        careless.open()
        yield careless
    finally:
        careless.close()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize(("village", "name"), SEEDED.items(), indirect=["village"], ids=SEEDED.keys())
def test_without_its_check_the_attack_is_seen_to_succeed(village: Village, name: str) -> None:
    (attack,) = [known for known in ATTACKS if known.name == name]
    village.honest()
    with pytest.raises(AssertionError) as noticed:
        attack.play(village)
    assert "waited in vain" not in str(noticed.value), "what was noticed is no success, only silence"
    assert "made a mistake" not in str(noticed.value), "what was noticed is a check that was left out wrongly"
