"""What leads out of the wall, on the page: hosts and servers are named there, and who asks no more is told what still asks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support import tool_server
from tests.support.chosen import choose
from tests.support.model_server import model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, Person, bash

NOTE = {"tool": "mcp__shelf__note", "input": {"text": "kept"}}


@pytest.fixture
def shelf(bob: Person, place: Path) -> Iterator[None]:
    """A tool server of Bob's, which nobody may use until it is granted."""
    command = (sys.executable, tool_server.__file__, "honest", str(place / "shelf.log"))
    assert bob.try_("agent", "server", "add", "shelf", "--", *command).code == 0
    yield
    bob.do("agent", "server", "remove", "shelf")


def granted(bob: Person) -> dict[str, Any]:
    [edge] = [each for each in bob.do("contacts")["edges"] if each["direction"] == "incoming"]
    scopes: dict[str, Any] = edge["scopes"]
    return scopes


@pytest.mark.usefixtures("shelf")
def test_hosts_and_servers_are_granted_and_taken_back_on_the_page(opens: Opens, bob: Person) -> None:
    incoming = opens(bob, "contacts").page.get_by_role("region", name="May send tasks to me")

    def change(host: str, *, shelf: bool) -> None:
        incoming.get_by_role("button", name="Change what they may").click()
        incoming.get_by_label("Hosts that a run may reach").fill(host)
        incoming.get_by_role("checkbox", name="shelf").set_checked(shelf)

    change("api.example.org\nfiles.example.org:8443", shelf=True)
    meaning = "reaching api.example.org, files.example.org:8443, and asking the MCP servers shelf"
    expect(incoming.locator(".meaning")).to_contain_text(meaning)
    assert not barriers(incoming.page)
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming.locator("p.note").filter(has_text=meaning)).to_be_visible()
    now = granted(bob)
    assert (now["network"], now["mcp_servers"]) == (
        ["api.example.org", "files.example.org:8443"],
        ["shelf"],
    )
    change("Not A Host", shelf=True)
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming.get_by_role("alert").filter(has_text="Not A Host")).to_be_visible()
    incoming.get_by_role("button", name="Leave it as it is.").click()
    change("", shelf=False)
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming.locator("p.note").filter(has_text="without network;")).to_be_visible()
    now = granted(bob)
    assert (now["network"], now["mcp_servers"]) == ([], [])


@pytest.mark.usefixtures("shelf")
def test_a_run_that_asks_no_more_still_asks_what_goes_to_a_server_and_says_so(
    opens: Opens, everybody: Neighbourhood, bob: Person
) -> None:
    bob.do("edit-edge", everybody.alice.address, "--mcp-servers", "shelf")
    try:
        task = everybody.send("Many calls", [*(bash(f"echo number-{number}") for number in range(5)), NOTE])
        bob.do("accept", task)
        frame = opens(bob, f"d/{task}").page.locator("section.question")
        for number in range(3):
            expect(frame).to_contain_text(f"number-{number}")
            frame.get_by_role("button", name="Allow once").click()
        expect(frame).to_contain_text("number-3")
        frame.get_by_role("button", name="Ask no more inside the wall: I review the changes").click()
        expect(frame).to_contain_text("mcp__shelf__note")
        bob.do("cancel", task)
    finally:
        bob.do("edit-edge", everybody.alice.address, "--mcp-servers", "none")


def test_what_was_tried_and_may_not_be_done_and_why_it_ended_is_read_on_both_pages(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person
) -> None:
    bob.do("edit-edge", alice.address, "--returns", "trace", "--approval", "auto", "--budget", "turns=2")
    glob = {"tool": "Glob", "input": {"pattern": "*.md"}}
    try:
        with model_server_beside() as model:
            choose(bob, "model", model.url)
            sent = alice.do("send", bob.address, scripted([glob], [bash("true")], ["done"]))
            task = str(sent["dispatch_id"])
            bob.receives(task)
            bob.do("accept", task)
            bob.until(task, "failed")
        alice.until(task, "failed")
        for person, why, hint in (
            (bob, "the model has used its 2 turns", f"dispatch edit-edge {alice.address} --budget"),
            (alice, "The budget of one run was used up", f"dispatch followup {task[:8]} TASK --budget"),
        ):
            page = opens(person, f"d/{task}").page
            tried = page.locator(".trace li.warn").filter(has_text="Glob *.md")
            expect(tried).to_contain_text("failed")
            tried.locator("summary").click()
            expect(tried.locator("pre").last).to_contain_text("not granted")
            if person is bob:  # the end of a run as its machine noted it is told to nobody
                expect(page.locator(".trace")).to_contain_text("ended: blocked (budget)")
            end = page.locator("section.end")
            expect(end).to_contain_text(why)
            expect(end.locator("code")).to_contain_text(hint)
            assert not barriers(page)
    finally:
        bob.do("agent", "use", "none")
        bob.do("edit-edge", alice.address, "--returns", "result", "--approval", "manual", "--budget", "none")
