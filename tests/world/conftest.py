"""What the stories share: Alice, who may dispatch to Bob, and Carol, whom nobody knows yet."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.documents import ALICE, BOB, person
from tests.support.world import Member, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Alice may dispatch to Bob; nobody knows Carol yet."""
    world = World(tmp_path, [ALICE, BOB, person("carol")])
    alice, bob, _ = world.members
    await world.befriend(alice, bob)
    yield world
    world.close()


@pytest.fixture
def alice(world: World) -> Member:
    return world.members[0]


@pytest.fixture
def bob(world: World) -> Member:
    return world.members[1]


@pytest.fixture
def carol(world: World) -> Member:
    return world.members[2]
