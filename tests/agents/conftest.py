"""Tests with other people's programs: `scripts/test --agents` installs them; the plain run collects none of these."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neighbourhood import Neighbourhood, Person, make_repository

PROGRAMS = os.environ.get("DISPATCH_TEST_AGENTS")

if PROGRAMS is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def programs() -> Path:
    """Where npm put the programs."""
    assert PROGRAMS is not None
    return Path(PROGRAMS) / "node_modules" / ".bin"


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def neighbourhood(place: Path) -> Iterator[Neighbourhood]:
    everybody = Neighbourhood(place)
    try:
        everybody.open()
        yield everybody
    finally:
        everybody.close()


@pytest.fixture
def repository(place: Path) -> Path:
    return make_repository(place / "project", {"notes.md": "# Notes\n\nfirst line\n"})


@pytest.fixture
def bob(programs: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Somebody with the programs on PATH, and a daemon."""
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    person = Person("bob", place)
    person.daemon.start()
    yield person
    person.daemon.stop()
