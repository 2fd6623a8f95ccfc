"""What two people say about a task, on both their pages at once: it comes by itself, is words only, and starts nothing."""

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opens
from tests.support.chromium import Tab
from tests.support.neighbourhood import Neighbourhood, Person, read

HIDING = "all well \u202e <script>document.title = 'taken'</script>"


def said(tab: Tab) -> Locator:
    return tab.page.locator("section.said li")


def test_words_go_both_ways_and_what_follows_needs_its_own_yes(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person
) -> None:
    task = everybody.send("Look at the notes", [read("notes.md")])
    alice.until(task, "delivered")
    hers, his = opens(alice, f"d/{task}"), opens(bob)
    row = his.page.get_by_role("link", name="Look at the notes")
    hers.page.get_by_label("Write to").fill("Only the first line, please.")
    hers.page.get_by_role("button", name="Send these words").click()
    expect(hers.page.get_by_label("Write to")).to_have_value("")
    expect(said(hers)).to_contain_text("arrived")
    expect(row).to_contain_text("1 new message")

    row.click()
    expect(said(his)).to_contain_text("Only the first line, please.")
    expect(row).not_to_contain_text("new message")
    assert bob.status(task)["unread"] == 0, "it was seen"
    his.page.get_by_label("Write to").fill("half a sent")
    alice.do("reply", task, HIDING)
    expect(said(his).last).to_contain_text("all well ⟨U+202E⟩ <script>document.title = 'taken'</script>")
    expect(his.page.get_by_label("Write to")).to_have_value("half a sent")
    assert "taken" not in his.page.title()
    assert bob.status(task)["status"] == "delivered"

    his.page.get_by_label("Write to").fill("Which one?")
    his.page.get_by_role("button", name="Send these words").click()
    expect(said(hers).last).to_contain_text("Which one?")
    hers.page.get_by_role("link", name="Ask for more in this thread").click()
    expect(hers.page.locator("#view")).to_contain_text("It follows: Look at the notes")
    hers.page.get_by_label("Task", exact=True).fill("And the second line")
    hers.page.get_by_role("button", name="Send").click()
    follow = his.page.get_by_role("link", name="And the second line")
    follow.first.click()
    expect(his.page.locator("#view")).to_contain_text("Your decision")
    his.page.get_by_role("link", name="Look at the notes").last.click()
    expect(said(his).first).to_contain_text("Only the first line, please.")
