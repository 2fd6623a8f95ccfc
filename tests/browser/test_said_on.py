"""An answer that was given at another device of the same person names that device on the page, where the run is."""

from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.support.machines import device_of, pair
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll


def test_page_names_the_device_at_which_a_question_was_answered(
    opens: Opens, everybody: Neighbourhood, bob: Person, laptop: Person
) -> None:
    pair(bob, laptop)
    laptop.do("devices", "rename", device_of(laptop)[:8], "laptop")
    poll(lambda: laptop.do("contacts")["edges"], "the second machine knows the edge")
    task = everybody.send("Two calls", [bash("true"), bash("false")])
    bob.do("accept", task)
    asked = bob.question(task)["request_id"]
    page = opens(bob, f"d/{task}").page
    poll(lambda: laptop.do("approvals")["approvals"], "the laptop is asked")
    laptop.do("approve", asked)
    expect(page.locator(".trace")).to_contain_text("allowed once, said on laptop")
    page.locator("section.question").get_by_role("button", name="Deny and stop").click()
    expect(page.locator(".trace")).to_contain_text("denied, through the page")
