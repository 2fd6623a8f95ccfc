"""This machine on the page: settings that are changed there, a pause and a panic, and what a run here may spend."""

import json

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support.neighbourhood import Neighbourhood, Person


def setting(row: Locator, name: str) -> Locator:
    return row.locator("li", has=row.page.get_by_role("button", name=f"Change {name}"))


def test_a_setting_is_changed_as_at_a_terminal_and_refused_as_there(opens: Opens, bob: Person) -> None:
    his = opens(bob, "machine")
    keys, view = his.page.keyboard, his.page.locator("#view")
    his.page.get_by_role("button", name="Change file_bytes").focus()
    keys.press("Enter")
    box = his.page.get_by_label("file_bytes", exact=True)
    expect(box).to_be_focused()
    box.fill("many")
    keys.press("Enter")
    expect(view.get_by_role("alert").filter(has_text="file_bytes")).to_contain_text(
        "should be a number of bytes up to 67108864"
    )
    assert not barriers(his.page)
    assert bob.do("config", "get", "file_bytes")["origin"] == "default"
    box.fill("1000000")
    keys.press("Enter")
    row = setting(view, "file_bytes")
    expect(row).to_contain_text("Stored: it is 1000000 once the daemon has started again")
    expect(row.get_by_role("button")).to_be_focused()
    assert bob.do("config", "get", "file_bytes") == {
        "key": "file_bytes",
        "value": 1_000_000,
        "origin": "config.json",
    }

    his.page.get_by_role("button", name="Change approval_ui").click()
    his.page.get_by_label("approval_ui", exact=True).select_option("form")
    his.page.get_by_role("button", name="Keep this").click()
    expect(setting(view, "approval_ui")).to_contain_text("Stored: it is form")
    his.page.get_by_role("button", name="Change file_bytes").click()
    his.page.get_by_label("file_bytes", exact=True).fill("")
    his.page.get_by_role("button", name="Keep this").click()
    expect(setting(view, "file_bytes")).not_to_contain_text("Stored")
    config = json.loads((bob.home / "config.json").read_text())
    assert (config["approval_ui"], "file_bytes" in config) == ("form", False)
    # What is typed at a terminal is shown, with the command; and the daemon would not take it from a page either.
    expect(view).to_contain_text("dispatch config set NAME VALUE")
    expect(view.get_by_role("button", name="Change agent_command")).to_have_count(0)
    his.page.get_by_role("button", name="Change notify").click()
    expect(his.page.get_by_label("notify", exact=True).locator("option")).to_have_text(
        ["off", "bell", "desktop"]
    )


def test_the_agents_are_listed_with_the_command_that_goes_on_and_nobody_is_called_chosen_who_was_not(
    opens: Opens, bob: Person
) -> None:
    his = opens(bob, "machine")
    view = his.page.locator("#view")
    expect(view.locator("li", has_text="follows the steps")).to_contain_text("steps · always there")
    expect(view).to_contain_text("No agent is chosen: a task without steps waits until one is")
    expect(view).not_to_contain_text("· chosen")
    expect(view.locator("code", has_text="dispatch agent use").first).to_be_visible()
    bob.do("agent", "use", "anthropic:a-model")
    remedy = bob.do("agent", "list")["agents"][1]["remedy"]
    try:
        his.page.reload()
        row = view.locator("li", has_text="anthropic:a-model")
        expect(row).to_contain_text("chosen, not ready")
        expect(row.locator("code")).to_have_text(remedy)
        expect(view).not_to_contain_text("No agent is chosen")
    finally:
        bob.do("agent", "use", "none")


def test_a_pause_and_a_panic_are_said_above_everything(
    opens: Opens, everybody: Neighbourhood, bob: Person
) -> None:
    his = opens(bob)
    said = his.page.locator("#state")
    expect(said).to_be_hidden()
    bob.do("pause")
    expect(said).to_contain_text("This machine is paused since")
    expect(said).to_contain_text("Take it back with dispatch pause --off")
    assert not barriers(his.page)
    his.show(f"d/{everybody.send('Look around')}")
    his.page.get_by_role("button", name="Accept and run").click()
    expect(his.page.locator("#view").get_by_role("alert").first).to_have_text(
        "This machine is paused, so nothing new starts here. Type dispatch pause --off"
    )
    his.show("machine")
    expect(his.page.locator("#view")).to_contain_text("Take it back with dispatch pause --off")
    bob.do("pause", "--off")
    expect(said).to_be_hidden()
    bob.do("panic")
    try:
        expect(said).to_contain_text("a panic was called")
        refused = bob.do("ui", code=3)["error"]
        assert (refused["code"], refused["hint"]) == ("panicked", "dispatch panic --off")
    finally:
        bob.do("panic", "--off")


def test_a_budget_is_granted_kept_and_taken_back(opens: Opens, bob: Person) -> None:
    his = opens(bob, "contacts")
    incoming = his.page.get_by_role("region", name="May send tasks to me")
    incoming.get_by_role("button", name="Change what they may").click()
    incoming.get_by_label("Turns of a model a run").fill("20")
    incoming.get_by_label("US dollars a run").fill("0.50")
    expect(incoming.locator(".meaning")).to_contain_text("at most 20 turns, $0.50 a run")
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming).to_contain_text("at most 20 turns, $0.50 a run.")
    assert _granted(bob) == {"turns": 20, "tokens": None, "cost_microusd": 500_000}

    incoming.get_by_role("button", name="Change what they may").click()
    expect(incoming.get_by_label("US dollars a run")).to_have_value("0.5")
    incoming.get_by_label("Tasks a day").fill("499")
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming).to_contain_text("499 tasks a day")
    assert _granted(bob) == {"turns": 20, "tokens": None, "cost_microusd": 500_000}

    incoming.get_by_role("button", name="Change what they may").click()
    incoming.get_by_label("US dollars a run").fill("0")
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming.get_by_role("alert").filter(has_text="cost_microusd")).to_be_visible()
    incoming.get_by_label("US dollars a run").fill("")
    incoming.get_by_label("Turns of a model a run").fill("")
    incoming.get_by_role("button", name="Change to this").click()
    expect(incoming).not_to_contain_text("a run.")
    assert _granted(bob) == {"turns": None, "tokens": None, "cost_microusd": None}


def test_granted_tool_servers_are_told_and_kept_by_an_edit_on_the_page(opens: Opens, bob: Person) -> None:
    """They are named at a terminal, where the programs stand; the page says them and lets them stay."""
    [edge] = [each for each in bob.do("contacts")["edges"] if each["direction"] == "incoming"]
    assert bob.try_("agent", "server", "add", "shelf", "--", "true").code == 0
    bob.do("edit-edge", edge["peer"], "--mcp-servers", "shelf")
    try:
        incoming = opens(bob, "contacts").page.get_by_role("region", name="May send tasks to me")
        expect(incoming).to_contain_text("and asking the MCP servers shelf;")
        incoming.get_by_role("button", name="Change what they may").click()
        incoming.get_by_label("Tasks a day").fill("498")
        expect(incoming.locator(".meaning")).to_contain_text("and asking the MCP servers shelf;")
        incoming.get_by_role("button", name="Change to this").click()
        expect(incoming).to_contain_text("498 tasks a day")
        assert bob.do("edit-edge", edge["peer"])["scopes"]["mcp_servers"] == ["shelf"]
    finally:
        bob.do("edit-edge", edge["peer"], "--mcp-servers", "none")
        bob.do("agent", "server", "remove", "shelf")


def _granted(person: Person) -> dict[str, int | None]:
    [edge] = [each for each in person.do("contacts")["edges"] if each["direction"] == "incoming"]
    budget: dict[str, int | None] = edge["scopes"]["budget"]
    return budget
