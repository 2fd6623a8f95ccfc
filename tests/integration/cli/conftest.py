"""What every test of the command line has: a home of its own, and a door that plays a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.door_documents import ALICE, edge
from tests.support.scripted_daemon import Script, scripted_daemon


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def door(home: Path) -> Iterator[Script]:
    with scripted_daemon(home) as script:
        contacts = [edge(), edge(direction="incoming", peer=ALICE, alias="Alice", online=None)]
        script.answer("GET", "/v1/contacts", {"edges": contacts})
        yield script
