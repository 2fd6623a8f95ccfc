"""Two people with a broker and a browser; a file of tests shares them, each test has tasks and pages of its own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.chromium import Tab, chromium
from tests.support.machines import bought
from tests.support.neighbourhood import Neighbourhood, Person, make_repository

Opens = Callable[..., Tab]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser; every page has a context of its own in it."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A short directory: the path of a Unix socket has little room."""
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def repository(place: Path) -> Path:
    """What Bob granted."""
    return make_repository(place / "project", {"notes.md": "# Notes\n\nfirst line\n"})


@pytest.fixture(scope="module")
def everybody(place: Path, repository: Path) -> Iterator[Neighbourhood]:
    """Alice may send tasks to Bob, who approves each call."""
    people = Neighbourhood(place)
    try:
        people.open()
        people.befriend(
            "--tools", "Read,Write,Edit,Bash", "--paths", f"{repository}:rw", "--max-per-day", "500"
        )
        yield people
    finally:
        people.close()


@pytest.fixture
def alice(everybody: Neighbourhood) -> Person:
    """Who sends."""
    return everybody.alice


@pytest.fixture
def bob(everybody: Neighbourhood) -> Person:
    """Whose machine runs it."""
    return everybody.bob


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """A second machine of Bob's, which belongs to nobody yet."""
    with bought("laptop", place, "bob@example.org") as person:
        yield person


@pytest.fixture
def opens(browser: Browser) -> Iterator[Opens]:
    """Open somebody's page as `dispatch ui` would; at the end none of them may have complained of anything."""
    tabs: list[Tab] = []

    def opened(person: Person, view: str = "", **context: object) -> Tab:
        tab = Tab(browser.new_context(**context), person.do("ui")["url"])
        tabs.append(tab)
        tab.page.get_by_role("link", name="Inbox").wait_for()
        if view:
            tab.show(view)
        return tab

    yield opened
    troubles = [line for tab in tabs for line in tab.troubles()]
    for tab in tabs:
        tab.context.close()
    assert not troubles
