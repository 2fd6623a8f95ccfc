"""A day on the page: writing, deciding, answering, reading what came back; by mouse, by keys, and on two pages at once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.browser.conftest import Opens
from tests.support.chromium import Tab
from tests.support.dispatch_command import environment
from tests.support.neighbourhood import (
    Neighbourhood,
    Person,
    bash,
    changed,
    edit,
    git,
    make_repository,
)
from tests.support.patience import poll

ARTIFACT = bash("echo '<b>all of it</b>' > $DISPATCH_ARTIFACTS/report.html")


def question(tab: Tab) -> Locator:
    return tab.page.locator("section.question")


def press(frame: Locator, name: str) -> None:
    """Answer as soon as the page lets it be answered."""
    frame.get_by_role("button", name=name).click()


def thread(tab: Tab) -> Locator:
    return tab.page.locator("#view")


def test_a_task_is_written_with_a_file_seen_at_once_and_done_by_hand(
    opens: Opens, alice: Person, bob: Person, place: Path
) -> None:
    hers, his = opens(alice, "new"), opens(bob)
    spec = place / "spec.md"
    spec.write_text("the spec")
    hers.page.get_by_label("To", exact=True).fill(bob.address)
    hers.page.get_by_label("Task", exact=True).fill("Read the spec\nand say what is missing.")
    hers.page.get_by_label("Choose files").set_input_files(spec)
    hers.page.get_by_text("More to go along").click()
    hers.page.get_by_label("Turns of a model, at most").fill("20")
    hers.page.get_by_label("US dollars, at most").fill("0.5")
    hers.page.get_by_role("button", name="Send").click()

    row = his.page.get_by_role("link", name="Read the spec")
    row.click()  # it came without anybody asking for it
    expect(thread(his)).to_contain_text("Read the spec\nand say what is missing.", use_inner_text=True)
    expect(thread(his)).to_contain_text("spec.md, 8 bytes")
    his.page.get_by_role("button", name="I do it by hand").click()
    his.page.get_by_label("What came of it").fill("Nothing is missing.")
    his.page.get_by_label("Files that belong to it").set_input_files(
        {"name": "list.txt", "mimeType": "text/plain", "buffer": b"all of it is there\n"}
    )
    his.page.get_by_role("button", name="Say so, signed").click()
    expect(thread(hers)).to_contain_text("Nothing is missing.")
    hers.page.get_by_role("button", name="Look").click()
    expect(thread(hers).locator(".preview pre")).to_have_text("all of it is there\n")
    ended = alice.until(hers.page.url.rsplit("/", 1)[1], "completed")
    assert ended["result"]["summary"] == "Nothing is missing."
    assert ended["budget"] == {"turns": 20, "tokens": None, "cost_microusd": 500_000}


def test_a_run_is_asked_about_seen_as_a_diff_applied_and_its_file_looked_at(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person, repository: Path
) -> None:
    task = everybody.send("Change a word, and report", [edit("notes.md", "first", "second"), ARTIFACT])
    hers, his = opens(alice, f"d/{task}"), opens(bob, f"d/{task}")
    expect(thread(his).locator("blockquote").first).to_have_text("Change a word, and report")
    expect(thread(his)).to_contain_text("signed by the device")
    expect(his.page.get_by_label("Run in")).to_have_value("")
    his.page.get_by_role("button", name="Accept and run").click()

    frame = question(his)
    expect(frame).to_contain_text("old_string")
    expect(frame.locator("pre.added")).to_have_text("second")
    expect(frame.get_by_role("button", name="Deny", exact=False).last).to_be_focused()
    press(frame, "Allow once")
    expect(frame).to_contain_text("$DISPATCH_ARTIFACTS/report.html")
    press(frame, "Allow once")
    expect(frame.get_by_role("button", name="Apply")).to_be_visible()
    expect(frame).to_contain_text("1 path would change")
    expect(frame.locator(".diff")).to_contain_text("second line")
    assert changed(repository) == set()
    expect(frame).to_contain_text("Files that would leave this machine")
    frame.get_by_role("button", name="Look").click()
    expect(frame.locator(".preview pre")).to_have_text("<b>all of it</b>\n")
    press(frame, "Apply")
    expect(thread(his)).to_contain_text("its changes were applied")
    expect(thread(his)).to_contain_text("allowed once, through the page", ignore_case=True)
    assert changed(repository) == {"notes.md"}
    git(repository, "checkout", "notes.md")

    expect(thread(hers)).to_contain_text("What came back")
    hers.page.get_by_role("button", name="Look").click()
    expect(thread(hers).locator(".preview pre")).to_have_text("<b>all of it</b>\n")
    with hers.page.expect_download() as saving:
        hers.page.get_by_role("button", name="Save").click()
    assert saving.value.suggested_filename == "report.html"
    assert Path(saving.value.path()).read_text() == "<b>all of it</b>\n"


def test_applied_changes_are_seen_and_undone(
    opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path
) -> None:
    task = everybody.send("Change a word", [edit("notes.md", "first", "undone")])
    bob.do("accept", task)
    bob.approve_all(task)
    his = opens(bob, f"d/{task}")
    his.page.get_by_role("button", name="See what an undo would do").click()
    expect(his.page.get_by_role("button", name="Leave it as it is")).to_be_focused()
    expect(his.page.locator(".undo .diff")).to_contain_text("+first line")
    (repository / "notes.md").write_text("mine\n")
    his.page.get_by_role("button", name="Undo exactly this").click()
    expect(thread(his)).to_contain_text(f"left as they are: {repository}/notes.md")
    assert changed(repository) == {"notes.md"}
    (repository / "notes.md").write_text("# Notes\n\nundone line\n")
    his.page.get_by_role("button", name="Undo exactly this").click()
    expect(thread(his)).to_contain_text("the files are as they were before the run")
    assert changed(repository) == set()


def test_trust_is_offered_chosen_changed_and_ended(opens: Opens, alice: Person, bob: Person) -> None:
    """Bob invites Alice, so that he may send to her too."""
    his, hers = opens(bob, "contacts"), opens(alice, "contacts")
    his.page.get_by_label("Their address").fill(alice.address)
    his.page.get_by_role("button", name="Invite").click()
    token = his.page.locator("form", has_text="Invite somebody").get_by_label("The token").input_value()
    expect(thread(hers)).to_contain_text(f"{bob.address} wants to be able to send tasks")

    _who_asks(hers, bob, token)
    menu = hers.page.locator("form.scopes").last
    expect(menu).to_contain_text(f"What may {bob.address}'s tasks do on this machine?")
    menu.get_by_role("button", name="Grant this").click()
    expect(menu).to_contain_text("there is no default for trust")
    menu.get_by_label("Read-only").check()
    menu.get_by_role("button", name="Grant this").click()

    incoming = hers.page.get_by_role("region", name="May send tasks to me")
    expect(incoming).to_contain_text(bob.address)
    expect(incoming).to_contain_text("you approve each call")
    outgoing = his.page.get_by_role("region", name="I may send tasks to")
    expect(outgoing.get_by_text(alice.address, exact=True)).to_be_visible()
    expect(outgoing).to_contain_text("they approve each call")
    poll(lambda: _edge(alice, "incoming")["status"] == "active", "the edge is in force")
    assert _edge(alice, "incoming")["scopes"]["tools"] == ["Glob", "Grep", "Read"]

    alice.do("edit-edge", bob.address, "--network", "files.example")
    expect(incoming).to_contain_text("reaching files.example")
    incoming.get_by_role("button", name="Change what they may").click()
    # Somebody who chooses is not disturbed by whoever comes and goes, or by what else is told.
    his.page.close()
    alice.do("send", "me", "Something else")
    hers.page.get_by_role("link", name="Something else").wait_for()
    incoming.get_by_label("Tasks a day").fill("3")
    incoming.get_by_label("Read and write").check()
    expect(incoming.locator("p.meaning")).to_contain_text("reaching files.example")
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming).to_contain_text("3 tasks a day")
    scopes = _edge(alice, "incoming")["scopes"]
    assert (scopes["max_per_day"], scopes["tools"]) == (3, ["Edit", "Glob", "Grep", "Read", "Write"])
    assert scopes["network"] == ["files.example"], "what was not chosen stays, and was shown as it stays"

    incoming.get_by_role("button", name="End it").click()
    expect(incoming.get_by_role("button", name="Keep it")).to_be_focused()
    incoming.get_by_role("button", name="End it", exact=True).click()
    expect(incoming).to_contain_text("Nobody yet")
    assert _edge(alice, "incoming")["status"] == "revoked"


def test_keys_are_enough(opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path) -> None:
    task = everybody.send("Change it, please", [edit("notes.md", "first", "third")])
    his = opens(bob)
    row = his.page.locator(f'a.row[href="#/d/{task}"]')
    row.wait_for()
    keys = his.page.keyboard
    keys.press("?")
    expect(his.page.get_by_role("dialog")).to_contain_text("Deny, which has the focus")
    keys.press("Escape")
    expect(his.page.get_by_role("dialog")).to_have_count(0)
    for _ in range(60):  # it may not be the newest
        keys.press("j")
        if his.page.url.endswith(task):
            break
        if row.get_attribute("aria-current") == "true":
            break
    while not his.page.url.endswith(task):
        keys.press("k")
    expect(his.page.get_by_role("button", name="Accept and run")).to_be_visible()
    accept = his.page.get_by_role("button", name="Accept and run")
    for _ in range(40):
        keys.press("Tab")
        if accept.evaluate("node => node === document.activeElement"):
            break
    keys.press("Enter")
    expect(question(his).get_by_role("button", name="Deny", exact=False).last).to_be_focused()
    keys.press("Enter")
    expect(thread(his)).to_contain_text("denied, through the page", ignore_case=True)
    state = bob.until(task, "completed", "failed")
    assert state["outcome"] != "success"
    assert changed(repository) == set()
    keys.press("c")
    expect(his.page.get_by_role("heading", name="Contacts")).to_be_visible()
    keys.press("Escape")
    expect(row).to_be_visible()


def test_of_two_pages_and_a_command_line_one_answers_and_all_say_which(
    opens: Opens, everybody: Neighbourhood, bob: Person
) -> None:
    task = everybody.send("Count", [bash("echo counted")])
    bob.do("accept", task)
    asked = bob.question(task)["request_id"]
    one, other = opens(bob, f"d/{task}"), opens(bob, f"d/{task}")
    for tab in (one, other):
        expect(question(tab).get_by_role("button", name="Allow once")).to_be_enabled()
    command = [sys.executable, "-m", "dispatch_cli", "deny", asked, "--json"]
    typed = subprocess.Popen(
        command, env=environment(bob.home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    # Both are pressed before either page can have heard of the other.
    for tab, name in ((one, "Allow once"), (other, "Deny")):
        tab.page.evaluate(
            """name => { for (const node of document.querySelectorAll(".question button"))
                if (node.firstChild.textContent === name) node.click(); }""",
            name,
        )
    code = typed.wait(timeout=60)
    state = bob.until(task, "completed", "failed", "waiting_approval")
    (first,) = [
        each["data"]
        for each in state["events"]
        if each["type"] == "approval_decided" and each["data"]["request_id"] == asked
    ]
    assert code == (0 if first["decided_by"] == "cli" else 6), "who came too late is told so"
    words = {"approved": "allowed", "denied": "denied"}[first["decision"]]
    face = {"page": "page", "cli": "command line"}[first["decided_by"]]
    for tab in (one, other):
        expect(thread(tab)).to_contain_text(f"{words}", ignore_case=True)
        expect(thread(tab)).to_contain_text(f"through the {face}")


def test_a_page_without_its_daemon_says_so_and_decides_nothing(
    opens: Opens, everybody: Neighbourhood, bob: Person
) -> None:
    task = everybody.send("Wait for me")
    his = opens(bob, f"d/{task}")
    his.page.get_by_role("button", name="Accept and run").wait_for()
    bob.daemon.stop()
    try:
        expect(his.page.get_by_role("status").first).to_contain_text("Not connected")
        expect(his.page.get_by_role("status").first).to_contain_text("dispatch ui")
        assert his.page.locator("body").get_attribute("data-connection") == "lost"
        his.page.get_by_role("button", name="Decline", exact=True).click()
        expect(thread(his)).to_contain_text("did not answer")
    finally:
        bob.daemon.start()
    assert bob.status(task)["status"] == "delivered"
    assert all("ERR_" in line for line in his.troubles())
    his.page.close()
    his.said.clear()
    again = opens(bob, f"d/{task}")
    again.page.get_by_role("button", name="Decline", exact=True).click()
    assert bob.until(task, "declined")


def test_what_nobody_here_can_do_stays_undecided_and_the_ways_on_are_shown(
    opens: Opens, everybody: Neighbourhood, bob: Person
) -> None:
    task = everybody.send("Think about it")
    his = opens(bob, f"d/{task}")
    his.page.get_by_role("button", name="Accept and run").click()
    decision = his.page.get_by_label("Your decision")
    expect(decision.get_by_role("alert")).to_contain_text("no agent is chosen on this machine")
    expect(decision).to_contain_text("It still waits for you")
    expect(decision.locator("code").last).to_have_text(f"dispatch accept {task[:8]} --by-hand")
    assert (bob.status(task)["status"], bob.status(task)["runs"]) == ("delivered", [])
    his.page.get_by_role("button", name="I do it by hand").click()
    his.page.get_by_label("What came of it").fill("I thought about it.")
    his.page.get_by_role("button", name="Say so, signed").click()
    assert bob.until(task, "completed")["outcome"] == "success"


def test_who_vouches_stands_there_however_late_it_is_known(
    browser: Browser, everybody: Neighbourhood, bob: Person, repository: Path
) -> None:
    asking = everybody.send("Count", [bash("echo counted")])
    waiting = everybody.send("Wait")
    bob.do("accept", asking)
    bob.question(asking)
    context = browser.new_context()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    context.route("**/v1/contacts", hold)
    his = Tab(context, bob.do("ui")["url"])
    his.show(f"d/{waiting}")
    expect(his.page.get_by_label("Run in")).to_have_value("")
    his.page.get_by_text("Decline with a reason").click()
    his.page.get_by_label("Reason, which its sender reads").fill("not today")
    beside = Tab(context, bob.do("ui")["url"])  # another one, where the question is drawn too early
    beside.show(f"d/{asking}")
    expect(question(beside)).to_contain_text("asks. It runs")
    assert held
    context.unroute("**/v1/contacts", hold)  # lets go what is held
    expect(question(beside)).to_contain_text("(token) asks. It runs")
    expect(his.page.locator("datalist option")).to_have_attribute("value", str(repository))
    expect(his.page.get_by_label("Reason, which its sender reads")).to_have_value("not today")
    assert not his.troubles() + beside.troubles()
    context.close()
    bob.do("cancel", asking)
    bob.do("decline", waiting)


def test_where_several_projects_could_be_meant_a_human_says_which(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person, repository: Path, place: Path
) -> None:
    projects = place / "projects"
    make_repository(projects / "web", {"notes.md": "first line\n"})
    for number in range(24):
        (projects / f"api-{number:02}" / ".git").mkdir(parents=True)
    bob.do("edit-edge", alice.address, "--paths", f"{projects}:rw")
    try:
        task = everybody.send("Change a word of web", [edit("notes.md", "first", "second")])
        his = opens(bob, f"d/{task}")
        his.page.get_by_role("button", name="Accept and run").click()
        decision = his.page.get_by_label("Your decision")
        expect(decision).to_contain_text(
            "Where shall it run? What is not listed here can be written into “Run in”."
        )
        expect(decision).to_contain_text("with 25 projects; say which (and 5 more: name one with --cwd)")
        expect(decision.locator(".choices").get_by_role("button").first).to_have_text(str(projects / "web"))
        assert bob.status(task)["status"] == "delivered"
        decision.get_by_role("button", name=str(projects / "web")).click()
        press(question(his), "Allow once")
        expect(question(his).locator(".diff")).to_contain_text("second line")
        assert bob.status(task)["runs"][-1]["cwd"] == str(projects / "web")
        bob.do("cancel", task)
    finally:
        bob.do("edit-edge", alice.address, "--paths", f"{repository}:rw")


@pytest.mark.parametrize("width", [390, 1180])
def test_nothing_is_wider_than_the_window(
    opens: Opens, everybody: Neighbourhood, bob: Person, width: int
) -> None:
    task = everybody.send("Look " + "w" * 300, [bash("echo " + "x" * 400)], "--background", "y" * 300)
    bob.do("accept", task)
    bob.question(task)
    his = opens(bob, f"d/{task}", viewport={"width": width, "height": 760})
    question(his).wait_for()
    for view in (f"d/{task}", "contacts", "machine", "new", "inbox"):
        his.show(view)
        assert his.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    bob.do("cancel", task)


def test_on_a_phone_each_view_begins_at_its_top(opens: Opens, bob: Person) -> None:
    his = opens(bob, "machine", viewport={"width": 390, "height": 500})
    # Before its settings are read the whole view fits into the window, and nothing scrolls.
    his.page.get_by_role("button", name="Change approval_ui").wait_for()
    his.page.get_by_role("button", name="Close every page").scroll_into_view_if_needed()
    expect(his.page.get_by_role("heading", name="This machine")).not_to_be_in_viewport()
    his.show("contacts")
    expect(his.page.get_by_role("heading", name="Contacts")).to_be_in_viewport()


def _who_asks(hers: Tab, bob: Person, token: str) -> None:
    """Paste a token whose identity was changed, then the true one, and see who is said to ask."""
    identity = bob.do("whoami")["identity"]
    asking = hers.page.locator("form", has_text="I was given a token")
    for typed, who in (
        (token.replace(identity, "ab" * 32), "The token names another identity"),
        (token, f"{bob.address} asks"),
    ):
        hers.page.get_by_label("The token").fill(typed)
        hers.page.get_by_role("button", name="Choose what they may").click()
        expect(asking).to_contain_text(who)
    expect(asking).to_contain_text(f"identity {identity[:16]}: the token names both")
    expect(asking).to_contain_text(f"You know this identity as {bob.address} (token)")


def _edge(person: Person, direction: str) -> dict[str, Any]:
    edges = [each for each in person.do("contacts")["edges"] if each["direction"] == direction]
    edge: dict[str, Any] = edges[-1]
    return edge
