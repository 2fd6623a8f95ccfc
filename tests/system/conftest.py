"""Fixtures of the system tests: the real programs, each test with a broker and homes of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.moved_clocks import Shifted, shifted_people
from tests.support.neighbourhood import Neighbourhood, make_repository


@pytest.fixture
def place() -> Iterator[Path]:
    """A short directory of this test's own: the path of a Unix socket has little room."""
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def neighbourhood(place: Path) -> Iterator[Neighbourhood]:
    """Alice, Bob and a broker, signed in."""
    everybody = Neighbourhood(place)
    try:
        everybody.open()
        yield everybody
    finally:
        everybody.close()


@pytest.fixture
def shifted(place: Path) -> Iterator[Shifted]:
    """The same, with clocks that a test moves."""
    with shifted_people(place) as made:
        yield made


@pytest.fixture
def repository(place: Path) -> Path:
    """A small Git repository that Bob may grant."""
    return make_repository(
        place / "project", {"notes.md": "# Notes\n\nfirst line\n", "src/app.py": "print('hello')\n"}
    )
