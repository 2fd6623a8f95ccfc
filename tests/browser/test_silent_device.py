"""A run that asks because another device of its person is silent says so on the page, where the person is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.support.machines import pair
from tests.support.moved_clocks import DAY_MS, Shifted, shifted_people
from tests.support.neighbourhood import bash, make_repository


@pytest.fixture
def shifted(place: Path) -> Iterator[Shifted]:
    """Everybody, with clocks that a test moves."""
    with shifted_people(place) as made:
        yield made


def test_page_says_why_a_run_asks_although_its_edge_is_auto(
    shifted: Shifted, opens: Opens, place: Path
) -> None:
    bob, drawer = shifted.everybody.bob, shifted.another("drawer")
    project = make_repository(place / "project", {"README": "a project\n"})
    drawer.daemon.start()
    try:
        pair(bob, drawer)
    finally:
        drawer.daemon.stop()
    shifted.everybody.befriend("--tools", "Bash", "--approval", "auto", "--paths", f"{project}:rw")
    for name in ("alice", "bob"):
        shifted.shift(name, 8 * DAY_MS)
    task = shifted.everybody.send("With questions", [bash("true")])
    bob.do("accept", task)
    bob.question(task)
    page = opens(bob, f"d/{task}").page
    expect(page.locator("section.on")).to_contain_text("nothing was heard for a week of your device")
    expect(page.locator("section.on")).to_contain_text("asks for each call on this machine")
