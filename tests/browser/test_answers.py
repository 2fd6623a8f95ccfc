"""The answers that spare a person answers: asking no more and reviewing at the end, and ending it all with one no."""

from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support.chromium import Tab
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit, git

CHANGE = edit("notes.md", "first", "second")
REVIEW = "Ask no more: I review the changes"


def _question(tab: Tab) -> Locator:
    return tab.page.locator("section.question")


def test_after_a_few_answers_a_run_asks_no_more_and_its_changes_are_reviewed(
    opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path
) -> None:
    task = everybody.send("Many calls", [CHANGE, *(bash(f"echo number-{number}") for number in range(5))])
    bob.do("accept", task)
    his = opens(bob, f"d/{task}")
    frame = _question(his)
    for asked in ("old_string", "number-0", "number-1"):
        expect(frame).to_contain_text(asked)
        expect(frame.get_by_role("button", name=REVIEW)).to_have_count(0)
        frame.get_by_role("button", name="Allow once").click()
    expect(frame).to_contain_text("number-2")
    expect(frame).to_contain_text("3 answered, 1 open")
    assert not barriers(his.page)
    frame.get_by_role("button", name=REVIEW).click()
    expect(frame).to_contain_text("1 path would change")
    assert changed(repository) == set()
    frame.get_by_role("button", name="Apply").click()
    state = bob.until(task, "completed")
    decided = [each["data"] for each in state["events"] if each["type"] == "approval_decided"]
    assert [each["decided_by"] for each in decided if each["decision"] == "approved"][-1] == "page"
    assert len([each for each in state["events"] if each["type"] == "tool_result"]) == 6
    assert changed(repository) == {"notes.md"}
    git(repository, "checkout", "notes.md")


def test_deny_and_stop_ends_the_run_at_once_and_keeps_nothing(
    opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path
) -> None:
    task = everybody.send("Two calls", [CHANGE, bash("echo never")])
    bob.do("accept", task)
    his = opens(bob, f"d/{task}")
    frame = _question(his)
    frame.get_by_role("button", name="Allow once").click()
    expect(frame).to_contain_text("echo never")
    frame.get_by_role("button", name="Deny and stop").click()
    expect(frame).to_have_count(0)
    state = bob.until(task, "failed")
    assert (state["outcome"], state["error"]["code"]) == ("blocked", "stopped")
    expect(his.page.locator("#view")).to_contain_text("denied, through the page", ignore_case=True)
    assert changed(repository) == set()
