"""Each button that stands beside the story is pressed once, and does what a command line would have done."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support.lifetime import Door
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll

_PAGE = 50


def test_the_machine_is_checked_as_the_doctor_does(opens: Opens, bob: Person) -> None:
    his = opens(bob, "machine")
    his.page.get_by_role("button", name="Check").click()
    checks = {check["name"]: check for check in bob.do("doctor")["checks"]}
    expect(his.page.locator("ul.checks li", has_text="sandbox").first).to_be_visible()
    said = [re.match("([✓✗]) ([^:]+): ", line) for line in his.page.locator("ul.checks li").all_inner_texts()]
    shown = {line[2]: line[1] == "✓" for line in said if line}
    # The command line looks at more: at itself, and at whether it reaches the daemon at all.
    assert len(shown) == len(said) > len(checks) - 5
    assert shown == {name: checks[name]["ok"] for name in shown}
    assert not barriers(his.page)


def test_what_is_always_allowed_is_asked_again_once_it_is_taken_back(
    opens: Opens, everybody: Neighbourhood, bob: Person
) -> None:
    first = everybody.send("Look", [bash("pwd")])
    bob.do("accept", first, "--cwd", str(everybody.directory / "project"))
    bob.do("approve", bob.question(first)["request_id"], "--grant", "always")
    bob.approve_all(first)
    [rule] = bob.do("rules", "list")["rules"]
    his = opens(bob, "machine")
    card = his.page.locator("li.card", has_text=rule["meaning"])
    card.get_by_role("button", name="Ask again").click()
    expect(his.page.locator("#view")).to_contain_text("Nothing: every call that needs a yes asks for it.")
    assert bob.do("rules", "list")["rules"] == []


def test_a_run_is_stopped_by_whom_it_runs_for_and_by_whoever_asked(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person
) -> None:
    for person, button in ((bob, "Stop this run"), (alice, "Cancel")):
        task = everybody.send(f"Wait for {person.name}", [bash("true")])
        bob.do("accept", task, "--cwd", str(everybody.directory / "project"))
        alice.until(task, "waiting_approval")
        page = opens(person, f"d/{task}").page
        page.get_by_role("button", name=button).click()
        for side in (alice, bob):
            assert side.until(task, "cancelled")["outcome"] is None
        expect(page.get_by_role("button", name=button)).to_have_count(0)


def test_a_token_is_copied_and_its_invitation_taken_back(opens: Opens, alice: Person) -> None:
    hers = opens(alice, "contacts", permissions=["clipboard-read", "clipboard-write"]).page
    hers.get_by_label("Their address").fill("erin@example.org")
    hers.get_by_role("button", name="Invite").click()
    token = hers.get_by_label("The token", exact=True).first
    expect(token).to_have_value(re.compile("^dispatch1:"))
    hers.get_by_role("button", name="Copy").click()
    copied = hers.evaluate("navigator.clipboard.readText()")
    assert copied == token.input_value()
    [sent] = [each for each in alice.do("invitations")["sent"] if each["peer"] == "erin@example.org"]
    assert sent["invitation_id"] in copied
    card = hers.locator("div.card", has_text="You invited erin@example.org")
    card.get_by_role("button", name="Take it back").click()
    expect(card.get_by_role("button", name="Take it back")).to_have_count(0)
    [sent] = [each for each in alice.do("invitations")["sent"] if each["peer"] == "erin@example.org"]
    assert sent["status"] == "revoked"


def test_what_one_may_send_is_kept_or_given_up_at_a_second_word(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person
) -> None:
    hers = opens(alice, "contacts").page
    card = hers.get_by_role("region", name="I may send tasks to").locator("article", has_text=bob.address)
    card.get_by_role("button", name="Give it up…").click()
    expect(card.get_by_role("button", name="Keep it")).to_be_focused()
    expect(card).to_contain_text("They are not told")
    card.get_by_role("button", name="Keep it").click()
    expect(card.get_by_role("button", name="End it")).to_have_count(0)
    [edge] = [each for each in alice.do("contacts")["edges"] if each["status"] == "active"]
    card.get_by_role("button", name="Give it up…").click()
    try:
        card.get_by_role("button", name="End it").click()
        expect(card).to_have_count(0)
        [now] = [each for each in alice.do("contacts")["edges"] if each["edge_id"] == edge["edge_id"]]
        assert now["status"] == "revoked"
    finally:
        everybody.befriend("--tools", "Bash", "--paths", f"{everybody.directory / 'project'}:rw")


def test_older_threads_come_when_they_are_asked_for(opens: Opens, alice: Person) -> None:
    with ThreadPoolExecutor(1) as beside:  # a loop of its own: the browser's is running here
        beside.submit(asyncio.run, _note_down(Door(alice.home / "daemon.sock"), _PAGE + 5)).result()
    poll(lambda: len(alice.do("inbox", "--limit", "200")["dispatches"]) >= _PAGE + 5, "all of them have come")
    hers = opens(alice, "inbox").page
    rows = hers.locator("a.row", has_text="of many")
    hers.get_by_role("button", name="Older").wait_for()
    expect(rows.filter(has_text="Note 0 of many")).to_have_count(0)
    hers.get_by_role("button", name="Older").click()
    expect(rows.filter(has_text="Note 0 of many")).to_have_count(1)
    expect(hers.get_by_role("button", name="Older")).to_have_count(0)


async def _note_down(door: Door, count: int) -> None:
    for number in range(count):
        await door.do("POST", "/v1/dispatches", {"recipient": "me", "task": f"Note {number} of many"})
