"""Keys answer what was read: a yes by key waits for the end of a long call, as the button does."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Opens
from tests.support.neighbourhood import Neighbourhood, Person, changed

LONG = {"tool": "Write", "input": {"file_path": "long.txt", "content": "a line to be read\n" * 400}}


def question(page: Page) -> Locator:
    return page.locator("section.question")


def deny(page: Page) -> Locator:
    return question(page).locator("button.deny")


def answers(page: Page) -> list[str]:
    """Note what this page answers from now on, to whatever question."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and ("/v1/approvals/" in request.url or request.url.endswith("/review")):
            sent.append(request.url)

    page.on("request", note)
    return sent


def decided(person: Person, task: str) -> list[dict[str, Any]]:
    """Return what was decided about the questions of a task, in their order."""
    return [each["data"] for each in person.status(task)["events"] if each["type"] == "approval_decided"]


def test_a_long_call_is_allowed_only_after_its_end_was_seen(
    opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path
) -> None:
    task = everybody.send("Write much", [LONG])
    bob.do("accept", task)
    bob.question(task)
    page = opens(bob, f"d/{task}").page
    sent = answers(page)
    allow = question(page).get_by_role("button", name="Allow once")
    unread = question(page).get_by_text("There is more to read above before this can be allowed.")
    expect(unread).to_be_visible()  # the first moment, in which no yes counts at all, is over
    expect(deny(page)).to_be_focused()
    keys = page.keyboard
    for key in ("o", "a", "s"):
        keys.press(key)
    question(page).get_by_label("content").focus()
    keys.press("PageDown")
    keys.press("o")
    expect(allow).to_be_disabled()
    expect(unread).to_be_visible()
    assert sent == []
    keys.press("End")
    expect(unread).to_be_hidden()
    expect(allow).to_be_enabled()
    keys.press("o")
    expect(question(page)).to_contain_text("1 path would change")
    [told] = decided(bob, task)
    assert (told["decision"], told["grant"], told["decided_by"]) == ("approved", "once", "page")
    assert len(sent) == 1
    assert changed(repository) == set()
    bob.do("cancel", task)
