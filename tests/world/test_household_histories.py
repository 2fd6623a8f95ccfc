"""A person's machines run only what was signed for them, under a grant of theirs, and once, whatever they are told in whatever order.

The machine is `tests/support/household_histories.py`, with its rules beside it. Each rule of the product is left out in turn, to
see that the histories would miss it.
"""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.careless_household import FAULTS
from tests.support.household_fortune import Fortune
from tests.support.household_histories import COUNTS
from tests.support.household_people import People

ASKED = os.environ.get("DISPATCH_TEST_HISTORIES")


class Histories(People, Fortune):
    """Both kinds of rules."""


def histories(most: int = 10) -> settings:
    """Tell the same few histories each time, or as many new ones as DISPATCH_TEST_HISTORIES asks for."""
    return settings(
        max_examples=int(ASKED or most),
        stateful_step_count=40,
        derandomize=ASKED is None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
    )


@pytest.mark.timeout(max(120, 5 * int(ASKED or "0")))
def test_no_history_makes_a_household_run_what_it_must_not(tmp_path: Path) -> None:
    names = (tmp_path / f"history {number}" for number in itertools.count())
    try:
        run_state_machine_as_test(lambda: Histories(next(names)), settings=histories())
    finally:
        print(dict(sorted(COUNTS.items())))


TAKE_LONG = {"the chains"}  # to come about in a history


@pytest.mark.timeout(max(120, 5 * int(ASKED or "0")))
@pytest.mark.parametrize("fault", sorted(FAULTS if ASKED else FAULTS.keys() - TAKE_LONG))
def test_a_rule_that_is_left_out_is_missed(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The histories reach what they are about: without one of the rules, one of them soon breaks the invariant."""
    monkeypatch.setattr(*FAULTS[fault])
    names = (tmp_path / f"history {number}" for number in itertools.count())
    with pytest.raises(AssertionError):
        run_state_machine_as_test(lambda: Histories(next(names)), settings=histories(40))
