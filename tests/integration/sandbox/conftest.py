"""Grounds for live boxes: one for each of the two users who must both be held."""

from collections.abc import Iterator

import pytest

from tests.support import grounds
from tests.support.grounds import BOTH, SELF, Ground, Who


@pytest.fixture(params=BOTH, ids=lambda who: who.name)
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Give a ground of each user in turn."""
    who: Who = request.param
    made = grounds.make(who)
    yield made
    made.remove()


@pytest.fixture
def own_ground() -> Iterator[Ground]:
    """Give a ground of the user who runs the tests, for boxes opened in this process."""
    made = grounds.make(SELF)
    yield made
    made.remove()
