"""What two devices said of an edge at once is told on its card, until it is said once more."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support.machines import bought, pair
from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll


def test_what_two_devices_said_of_an_edge_at_once_is_told_on_its_card_until_it_is_said_once_more(
    opens: Opens, everybody: Neighbourhood, bob: Person, place: Path
) -> None:
    with bought("desk", place, "bob@example.org") as desk:
        pair(bob, desk)
        poll(lambda: desk.do("contacts")["edges"], "the second machine knows the edge")
        everybody.broker.stop()
        for machine, tools in ((bob, "Read,Bash,Glob"), (desk, "Read,Write")):
            machine.do("edit-edge", everybody.alice.address, "--tools", tools)
        everybody.broker.start()
        poll(lambda: bob.do("contacts")["edges"][0]["edits"], "both words have met")
        page = opens(bob, "contacts").page
        told = page.get_by_role("region", name="May send tasks to me").locator("div.warn")
        expect(told).to_contain_text("Two devices of yours changed this at the same time")
        expect(told.locator("li")).to_have_count(2)
        expect(told).to_contain_text("use Bash, Glob, Read")
        expect(told).to_contain_text("use Read, Write")
        assert not barriers(page)
        bob.do("edit-edge", everybody.alice.address, "--tools", "Read,Write,Edit,Bash")
        expect(told).to_have_count(0)
