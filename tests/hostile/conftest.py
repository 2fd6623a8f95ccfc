"""Fixtures of the hostile tests: a short directory of one's own, and a daemon among strangers."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.neighbourhood import make_repository
from tests.support.stranger import Stranger, Victim, besieged


@pytest.fixture
def place() -> Iterator[Path]:
    """A short directory of this test's own: the path of a Unix socket has little room."""
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def repository(place: Path) -> Path:
    """A small Git repository that may be granted."""
    return make_repository(
        place / "project", {"notes.md": "# Notes\n\nfirst line\n", "src/app.py": "print('hello')\n"}
    )


@pytest_asyncio.fixture
async def victim(place: Path) -> AsyncIterator[Victim]:
    """A real daemon, signed in at a relay that is not on its side."""
    async with besieged(place) as daemon:
        yield daemon


@pytest.fixture
def mallory(victim: Victim) -> Stranger:
    """Somebody with real keys whom the victim does not know yet."""
    return Stranger("mallory", victim)
