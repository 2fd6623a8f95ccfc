"""The recipient runs only what a pinned chain signed, under a grant it issued, at most once, within it as of the start.

Random histories of devices lost, revoked, recovered, invited again and away for weeks, against that sentence: the machine is
`tests/support/histories.py`. Each rule is left out in turn, to see that the histories would miss it.
"""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.histories import Histories

ASKED = os.environ.get("DISPATCH_TEST_HISTORIES")


@pytest.mark.timeout(max(120, 3 * int(ASKED or "0")))
def test_no_history_makes_anybody_run_what_was_not_signed_for_them(tmp_path: Path) -> None:
    names = (tmp_path / f"history {number}" for number in itertools.count())
    run_state_machine_as_test(lambda: Histories(next(names)), settings=histories())


def histories(most: int = 12) -> settings:
    """Tell the same few histories each time, or as many new ones as DISPATCH_TEST_HISTORIES asks for."""
    return settings(
        max_examples=int(ASKED or most),
        stateful_step_count=50,
        derandomize=ASKED is None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
    )


FAULTS = {
    "the signature": ("dispatch_protocol.unseal.verify", lambda *_: None),
    "the chains": ("dispatch_protocol.unseal._check_chains", lambda *_: None),
    "the grant": ("dispatch_protocol.unseal._check_grant", lambda *_, **__: None),
    "freshness": ("dispatch_protocol.unseal._check_fresh", lambda *_: None),
    "what a revoked device asked for": ("dispatch_daemon.app.chains.disowned", lambda *_: []),
    "two histories": (
        "dispatch_protocol.chain.Chain.update",
        lambda self, links: type(self).verify(links, expect=self.genesis),
    ),
}


TAKE_LONG = {"what a revoked device asked for", "two histories"}  # to come about in a history


@pytest.mark.timeout(max(120, int(ASKED or "0")))
@pytest.mark.parametrize("fault", sorted(FAULTS if ASKED else FAULTS.keys() - TAKE_LONG))
def test_a_rule_that_is_left_out_is_missed(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The histories reach what they are about: without one of the rules, one of them soon breaks the invariant."""
    monkeypatch.setattr(*FAULTS[fault])
    names = (tmp_path / f"history {number}" for number in itertools.count())
    with pytest.raises(AssertionError):
        run_state_machine_as_test(lambda: Histories(next(names)), settings=histories(100))
