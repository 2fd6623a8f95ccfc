"""Two devices of one person, each called something hostile, and what their pages say when both accept the same task."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_attacks import unharmed
from tests.support.machines import bought, device_of, pair
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll

MARKUP = "<img src=x onerror=pwned=1>"


@pytest.fixture
def laptop(place: Path, bob: Person) -> Iterator[Person]:
    """A second machine of Bob's; both have names that would run in a careless page."""
    with bought("laptop", place, bob.address) as person:
        pair(bob, person)
        for machine, word in ((bob, "desk"), (person, "laptop")):
            machine.do("devices", "rename", device_of(machine)[:8], f"{word} {MARKUP}")
        yield person


def test_names_of_devices_that_disagree_are_words_only(
    opens: Opens, everybody: Neighbourhood, bob: Person, laptop: Person, repository: Path
) -> None:
    poll(lambda: laptop.do("contacts")["edges"], "the second machine knows the edge")
    poll(lambda: len(everybody.alice.do("contacts")["edges"][0]["devices"]) == 2, "Alice knows both")
    task = everybody.send("Look", [bash("true")])
    laptop.receives(task)
    tab = opens(laptop, f"d/{task}")
    expect(tab.page.locator(f'a.row[href="#/d/{task}"]')).to_contain_text("waits for you on desk <img src=x")
    unharmed(tab)
    tab.page.close()
    everybody.broker.stop()  # neither machine hears of the other now
    bob.do("accept", task, "--cwd", str(repository))
    laptop.do("accept", task, "--here", "--cwd", str(repository))
    everybody.broker.start()
    for person in (everybody.alice, bob, laptop):
        poll(
            lambda person=person: len(person.status(task)["accepted_on"]) == 2,
            f"{person.name} knows which two have accepted",
        )
        tab = opens(person, f"d/{task}")
        warned = tab.page.locator(".head .warn")
        expect(warned).to_contain_text("have each accepted it")
        if person is not everybody.alice:  # how they are called is told to nobody else
            for word in ("desk", "laptop"):
                expect(warned).to_contain_text(f"{word} {MARKUP}")
        tab.show("machine")
        expect(tab.page.get_by_role("heading", name="This machine")).to_be_visible()
        unharmed(tab)
