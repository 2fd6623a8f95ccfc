"""A task is handed over to another device of the same person by a button, and cannot be accepted here any more."""

from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support.machines import device_of, pair
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll


def test_a_button_hands_a_task_over_to_a_device_of_ones_own(
    opens: Opens, everybody: Neighbourhood, bob: Person, laptop: Person
) -> None:
    alone = everybody.send("Look", [bash("true")])
    page = opens(bob, f"d/{alone}").page
    expect(page.get_by_role("button", name="Accept and run")).to_be_visible()
    expect(page.get_by_text("Let another of my devices run it")).to_have_count(0)
    pair(bob, laptop)
    laptop.do("devices", "rename", device_of(laptop)[:8], "laptop")
    poll(lambda: laptop.do("contacts")["edges"], "the second machine knows the edge")
    poll(lambda: len(everybody.alice.do("contacts")["edges"][0]["devices"]) == 2, "Alice knows both")
    task = everybody.send("Look there", [bash("true")])
    laptop.receives(task)
    his = opens(bob, f"d/{task}")
    his.page.get_by_text("Let another of my devices run it").click()
    assert not barriers(his.page)
    his.page.get_by_role("button", name="Hand over to laptop").click()
    expect(his.page.locator("#view")).to_contain_text("laptop is to run this one: accept it there.")
    expect(his.page.get_by_role("button", name="Run it here all the same")).to_be_visible()
    poll(lambda: laptop.status(task)["owner"]["name"] == "laptop", "the laptop knows that it runs it")
    there = opens(laptop, f"d/{task}").page
    expect(there.get_by_role("button", name="Accept and run")).to_be_enabled()
