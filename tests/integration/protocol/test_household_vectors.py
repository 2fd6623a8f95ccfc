"""What a device makes of its siblings' words: the product and a second reading of the page agree, document by document."""

from typing import Any

import pytest

from tests.support.hearing_desk import Hearing
from tests.support.independent_household_log import Household
from tests.support.vectors.files import load

HOUSEHOLDS: Any = load("households.json")
KNOWN = {name: HOUSEHOLDS[name] for name in ("links", "genesis", "device", "now")}


@pytest.mark.parametrize("scene", HOUSEHOLDS["scenes"], ids=lambda scene: scene["name"])
def test_both_hear_the_same(scene: Any) -> None:
    ours, theirs = Hearing(**KNOWN), Household(**KNOWN)
    try:
        for number, step in enumerate(scene["steps"], start=1):
            wanted = {name: step[name] for name in ("changes", "followed")}
            assert ours.hear(step["by"], step["body"]) == wanted, f"document {number}, to the product"
            assert theirs.hear(step["by"], step["body"]) == wanted, (
                f"document {number}, to the second reading"
            )
        assert ours.torn == theirs.torn == scene["torn"]
    finally:
        ours.close()
