"""A broker and people for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.device import Device
from tests.support.relay import TestClock, broker_here


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def url(tmp_path: Path, clock: TestClock) -> AsyncIterator[str]:
    """A development broker with default quotas, on a clock that the test may move."""
    async with broker_here(tmp_path / "broker", clock=clock) as broker:
        yield broker.url


@pytest.fixture
def alice() -> Device:
    return Device("alice")


@pytest.fixture
def bob() -> Device:
    return Device("bob")


@pytest.fixture
def carol() -> Device:
    return Device("carol")
