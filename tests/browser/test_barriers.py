"""Whoever sees little, uses keys alone or has a reader read aloud can use every view: what axe finds, in every light and width."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Opens
from tests.support.neighbourhood import Neighbourhood, Person, bash, edit

_GRAVE = {"serious", "critical"}


def barriers(page: Page) -> list[str]:
    """Return what axe finds serious or critical, each with the first element that it is about."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary']}"
        for each in found
        if each["impact"] in _GRAVE
        for node in each["nodes"]
    ]


def test_a_barrier_is_found(browser: Browser) -> None:
    """The control: the check below does not find nothing because it looks at nothing."""
    page = browser.new_page()
    page.set_content(
        "<html lang=en><title>t</title><main><h1>t</h1><button></button><input><p style='color:#bbb'>pale</p>"
    )
    assert {line.split(":")[0] for line in barriers(page)} == {"button-name", "label", "color-contrast"}
    page.close()


@pytest.fixture(scope="module")
def asked(everybody: Neighbourhood) -> str:
    """A dispatch whose first call waits for a word of Bob's, beside one that only waits, and an invitation."""
    everybody.bob.do("invite", everybody.alice.address, "--link-only")
    everybody.send("Look around", None, "--background", "It is new here.", "--link", "https://example.org/")
    steps = [edit("notes.md", "first", "second"), bash("echo all > $DISPATCH_ARTIFACTS/report.txt")]
    task = everybody.send("Change a word, and report", steps)
    everybody.bob.do("accept", task)
    everybody.bob.question(task)
    return task


@pytest.fixture(scope="module")
def done(everybody: Neighbourhood) -> str:
    """A dispatch that came back with a change and a file."""
    steps = [bash("echo all | tee new.txt > $DISPATCH_ARTIFACTS/report.txt")]
    task = everybody.send("Make a file", steps)
    everybody.bob.do("accept", task)
    everybody.bob.approve_all(task)
    everybody.alice.until(task, "completed")
    everybody.bob.do("reply", task, "There it is.")
    return task


@pytest.mark.parametrize("width", [390, 1180])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_barrier(
    opens: Opens,
    everybody: Neighbourhood,
    alice: Person,
    bob: Person,
    asked: str,
    done: str,
    scheme: str,
    width: int,
) -> None:
    look: dict[str, Any] = {
        "color_scheme": scheme,
        "viewport": {"width": width, "height": 800},
        "reduced_motion": "reduce",
    }
    his, hers = opens(bob, **look), opens(alice, f"d/{done}", **look)
    page, waiting = his.page, bob.do("inbox")["dispatches"]
    delivered = next(each["dispatch_id"] for each in waiting if each["status"] == "delivered")
    views = {
        "inbox": page.locator(f'a.row[href="#/d/{asked}"]'),
        f"d/{asked}": page.locator(".question button.yes").first,
        f"d/{delivered}": page.get_by_role("button", name="Accept and run"),
        f"d/{done}": page.locator("section.closing .diff"),
        "contacts": page.get_by_role("heading", name="Invitations"),
        "machine": page.get_by_role("button", name="Change approval_ui"),
        "new": page.get_by_label("Task", exact=True),
    }
    found: list[str] = []
    for view, ready in views.items():
        his.show(view)
        ready.wait_for()
        page.evaluate("for (const node of document.querySelectorAll('details')) node.open = true")
        found += [f"{view}: {each}" for each in barriers(page)]
    his.show("contacts")
    page.get_by_role("button", name="Change what they may").click()
    page.locator("form.scopes").wait_for()
    found += [f"scopes: {each}" for each in barriers(page)]
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    found += [f"help: {each}" for each in barriers(page)]
    hers.page.get_by_role("button", name="Look").click()
    hers.page.locator(".preview pre").wait_for()
    found += [f"result: {each}" for each in barriers(hers.page)]
    hers.show("sent")
    hers.page.locator("a.row").first.wait_for()
    found += [f"sent: {each}" for each in barriers(hers.page)]
    assert not found, "\n".join(found)
