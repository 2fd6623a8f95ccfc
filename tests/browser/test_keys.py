"""Each key is pressed once where it means something, and does exactly that; in a text field it is a letter."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Opens
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit, git

CHANGE = edit("notes.md", "first", "second")
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


def press(page: Page, key: str, asked: str) -> None:
    """Press a key under the question that shows `asked`, as soon as each answer of its counts."""
    frame = question(page).filter(has_text=asked)
    expect(frame).to_be_visible()
    expect(frame.locator("button:disabled")).to_have_count(0)
    expect(deny(page)).to_be_focused()
    page.keyboard.press(key)
    expect(frame).to_have_count(0)


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


def test_each_key_under_a_call_gives_its_own_answer(
    opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path
) -> None:
    """Once, always, in this run, and no more questions: what each spares is not asked."""
    commands = ("echo one", "echo one", "echo two", "echo two", "echo three", "echo three", "echo four")
    task = everybody.send("Many calls", [CHANGE, *(bash(command) for command in commands)])
    bob.do("accept", task)
    page = opens(bob, f"d/{task}").page
    sent = answers(page)
    try:
        press(page, "o", "old_string")
        press(page, "a", "echo one")
        press(page, "s", "echo two")
        press(page, "r", "echo three")
        expect(question(page)).to_contain_text("1 path would change")
        [rule] = bob.do("rules", "list")["rules"]
        assert "echo one" in rule["meaning"]
    finally:
        for each in bob.do("rules", "list")["rules"]:
            bob.do("rules", "remove", each["rule_id"])
    assert changed(repository) == set()
    press(page, "y", "1 path would change")
    state = bob.until(task, "completed")
    assert changed(repository) == {"notes.md"}
    git(repository, "checkout", "notes.md")
    calls, closing = len(commands) + 1, 1
    assert len([each for each in state["events"] if each["type"] == "tool_result"]) == calls
    told = [(each["decision"], each["grant"], each["decided_by"]) for each in decided(bob, task)]
    spared = ("approved", "always", "rule")
    assert told.count(spared) == 1
    assert [each for each in told if each != spared][:3] == [
        ("approved", grant, "page") for grant in ("once", "always", "session")
    ]
    assert told[-closing] == ("approved", "once", "page")
    assert [url.endswith("/review") for url in sent] == [False, False, False, True, False]


@pytest.mark.parametrize(("keys", "code"), [("d", "denied"), ("x", "stopped"), ("on", "changeset_denied")])
def test_each_key_that_says_no_says_its_own(
    opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path, keys: str, code: str
) -> None:
    task = everybody.send(f"Say {code}", [CHANGE])
    bob.do("accept", task)
    page = opens(bob, f"d/{task}").page
    sent = answers(page)
    for key, asked in zip(keys, ("old_string", "1 path would change"), strict=False):
        press(page, key, asked)
    state = bob.until(task, "failed")
    assert (state["outcome"], state["error"]["code"]) == ("blocked", code)
    assert [each["decision"] for each in decided(bob, task)] == ["approved"] * (len(keys) - 1) + ["denied"]
    assert len(sent) == len(keys)
    assert changed(repository) == set()


def test_a_key_that_is_typed_in_a_text_field_is_a_letter(
    opens: Opens, everybody: Neighbourhood, bob: Person
) -> None:
    task = everybody.send("Ask me", [bash("echo asked")])
    bob.do("accept", task)
    page = opens(bob, f"d/{task}").page
    sent = answers(page)
    expect(question(page).locator("button:disabled")).to_have_count(0)
    here = page.url
    words = page.get_by_label("Write to")
    words.focus()
    page.keyboard.type("oasrxdynicmjk?")
    expect(words).to_have_value("oasrxdynicmjk?")
    assert (page.url, sent) == (here, [])
    expect(page.get_by_role("dialog")).to_have_count(0)
    bob.question(task)
    bob.do("cancel", task)


def test_each_key_of_a_view_shows_it(opens: Opens, bob: Person) -> None:
    page = opens(bob).page
    for key, view in (("m", "machine"), ("s", "sent"), ("i", "inbox"), ("n", "new")):
        page.keyboard.press(key)
        expect(page.locator("body")).to_have_attribute("data-view", view)
    task = page.get_by_label("Task", exact=True)
    task.focus()
    page.keyboard.type("misc")
    expect(task).to_have_value("misc")
    assert page.url.endswith("#/new")
    page.keyboard.press("Escape")
    expect(page.locator("body")).to_have_attribute("data-view", "inbox")
