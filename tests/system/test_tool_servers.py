"""MCP servers of Bob's own: written down at his terminal, granted by name, asked under each mode, and gone with the run."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import tool_server
from tests.support.chosen import choose
from tests.support.model_server import model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, Person, changed, edit
from tests.support.patience import poll
from tests.support.processes import naming

EDIT = edit("notes.md", "first", "second")


def note(server: str, text: str) -> dict[str, Any]:
    return {"tool": f"mcp__{server}__note", "input": {"text": text}}


def serve(person: Person, name: str, mode: str, log: Path) -> None:
    command = (sys.executable, tool_server.__file__, mode, str(log))
    ended = person.try_("agent", "server", "add", name, "--", *command)
    assert ended.code == 0, ended


@pytest.fixture
def log(place: Path, neighbourhood: Neighbourhood) -> Path:
    """Bob has two servers, and both write into one log."""
    path = place / "server.log"
    for name in ("files", "mail"):
        serve(neighbourhood.bob, name, "honest", path)
    return path


def notes(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if line.startswith("note ")] if log.exists() else []


def test_each_call_of_a_granted_server_is_a_question_and_what_it_says_comes_back(
    neighbourhood: Neighbourhood, repository: Path, log: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    scopes = ("--tools", "Read,Edit", "--paths", f"{repository}:rw", "--returns", "trace")
    neighbourhood.befriend(*scopes, "--mcp-servers", "files")
    assert "MCP servers files" in bob.try_("edit-edge", alice.address).out

    asked = neighbourhood.send("Note it", [note("files", "one")])
    bob.do("accept", asked)
    question = bob.question(asked)
    assert (question["tool"], question["input"]) == ("mcp__files__note", {"text": "one"})
    assert "outside the wall" in question["flags"][0]
    assert [each["meaning"] for each in question["grant_details"]][1].startswith(
        "exactly this call of mcp__files__note; in every run"
    )
    assert notes(log) == [], "nothing is made before it is allowed"
    assert bob.approve_all(asked)["outcome"] == "success"
    assert notes(log) == ['note {"text": "one"}']
    told = alice.until(asked, "completed")
    results = [event["data"]["output"] for event in told["events"] if event["type"] == "tool_result"]
    assert results == ["noted one"], "what the server said comes back as far as the grant lets it"

    denied = neighbourhood.send("Note it", [note("files", "two")])
    bob.do("accept", denied)
    bob.do("deny", bob.question(denied)["request_id"])
    assert bob.until(denied, "failed")["outcome"] == "blocked"
    assert len(notes(log)) == 1


def test_a_review_of_changes_is_none_of_what_a_server_did_and_no_other_server_is_asked(
    neighbourhood: Neighbourhood, repository: Path, log: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    scopes = ("--tools", "Read,Edit", "--paths", f"{repository}:rw", "--mcp-servers", "files")
    neighbourhood.befriend(*scopes, "--approval", "review")
    reviewed = neighbourhood.send("Change and note it", [EDIT, note("files", "three")])
    bob.do("accept", reviewed)
    first = bob.question(reviewed)
    assert (first["tool"], first["can_review"]) == ("mcp__files__note", False), "an edit asks at the end only"
    assert bob.approve_all(reviewed)["outcome"] == "success"
    assert changed(repository) == {"notes.md"}

    bob.do("edit-edge", alice.address, "--approval", "auto")
    free = neighbourhood.send("Note it", [note("files", "four")])
    bob.do("accept", free)
    state = bob.until(free, "completed")
    kinds = [event["type"] for event in state["events"]]
    assert "approval_asked" not in kinds
    (gate,) = [event["data"] for event in state["events"] if event["type"] == "gate"]
    assert gate["effects"] == "external"

    for step in (note("mail", "five"), note("files__x", "six"), note("mai", "seven")):
        other = neighbourhood.send("Note it", [step])
        bob.do("accept", other)
        ended = bob.until(other, "failed")
        assert ended["outcome"] == ("failed" if "files__x" in step["tool"] else "blocked"), ended
    assert [line.split('"')[3] for line in notes(log)] == ["three", "four"]


def test_what_is_granted_is_written_out_and_what_comes_later_is_not(
    neighbourhood: Neighbourhood, repository: Path, log: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--profile", "full", "--paths", f"{repository}:rw", "--approval", "auto")

    def servers() -> list[str]:
        named: list[str] = bob.do("edit-edge", alice.address)["scopes"]["mcp_servers"]
        return named

    assert servers() == ["files", "mail"], "full means those that are here, by name"
    serve(bob, "later", "honest", log)
    assert servers() == ["files", "mail"]
    bob.do("edit-edge", alice.address, "--tools", "Read")
    assert servers() == ["files", "mail"], "what is left out of an edit stays"
    refused = bob.do("edit-edge", alice.address, "--mcp-servers", "nothing", code=3)["error"]
    assert (refused["code"], refused["candidates"]) == ("mcp_unavailable", ["files", "later", "mail"])
    assert servers() == ["files", "mail"]
    bob.do("edit-edge", alice.address, "--mcp-servers", "*")
    assert servers() == ["files", "later", "mail"]
    listed = {row["name"]: row["granted_to"] for row in bob.do("agent", "server", "list")["servers"]}
    assert listed == {name: [alice.address] for name in ("files", "later", "mail")}

    bob.do("agent", "server", "remove", "mail")
    gone = neighbourhood.send("Note it", [note("mail", "x")])
    refused = bob.do("accept", gone, code=3)["error"]
    assert (refused["code"], "dispatch agent server add mail" in refused["hint"]) == ("server_missing", True)
    here = neighbourhood.send("Note it", [note("files", "y")])
    bob.do("accept", here)
    assert bob.until(here, "completed", "failed")["outcome"] == "success", "the control: another one works"
    bob.do("edit-edge", alice.address, "--mcp-servers", "none")
    assert servers() == []


def test_a_cancelled_run_leaves_no_process_of_a_server(
    neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    log = place / "hanging.log"
    serve(bob, "slow", "hang", log)
    neighbourhood.befriend(
        *("--tools", "Read", "--paths", f"{repository}:ro", "--approval", "auto", "--mcp-servers", "slow")
    )
    hanging = neighbourhood.send("Note it", [note("slow", "x")])
    bob.do("accept", hanging)
    poll(lambda: log.exists() and "hangs" in log.read_text(), "the server hangs")
    assert naming(f"grandchild-of-{log}") != []
    alice.do("cancel", hanging)
    bob.until(hanging, "cancelled")
    poll(lambda: naming(str(log)) == [], "nothing of it is left")
    assert alice.until(hanging, "cancelled")["status"] == "cancelled"


def begin(neighbourhood: Neighbourhood, repository: Path, *turns: list[Any]) -> str:
    """Send and accept a task of which a model makes these turns."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    asked: str = alice.do("send", bob.address, scripted(*turns))["dispatch_id"]
    bob.receives(asked)
    bob.do("accept", asked, "--cwd", str(repository))
    return asked


agents = pytest.mark.parametrize("agent", ["model", "acp", "claude"])


@agents
def test_an_agent_uses_what_is_granted_and_nothing_else(
    neighbourhood: Neighbourhood, repository: Path, log: Path, agent: str
) -> None:
    bob = neighbourhood.bob
    scopes = ("--tools", "Read", "--paths", f"{repository}:ro", "--mcp-servers", "files")
    neighbourhood.befriend(*scopes, "--approval", "auto")
    with model_server_beside() as model:
        choose(bob, agent, model.url)
        turns = (["I note it.", note("files", "hi")], [note("mail", "no")], ["Done."])
        free = begin(neighbourhood, repository, *turns)
        assert bob.until(free, "completed", "failed")["outcome"] == "success"
        assert notes(log) == ['note {"text": "hi"}']


@agents
@pytest.mark.parametrize("approval", ["manual", "review"])
def test_each_call_of_an_agent_is_a_question(
    neighbourhood: Neighbourhood, repository: Path, log: Path, agent: str, approval: str
) -> None:
    bob = neighbourhood.bob
    scopes = ("--tools", "Read", "--paths", f"{repository}:ro", "--mcp-servers", "files")
    neighbourhood.befriend(*scopes, "--approval", approval)
    with model_server_beside() as model:
        choose(bob, agent, model.url)
        asked = begin(neighbourhood, repository, [note("files", "one")], [note("files", "two")], ["Done."])
        question = bob.question(asked)
        assert (question["tool"], question["input"]) == ("mcp__files__note", {"text": "one"})
        assert "outside the wall" in question["flags"][0]
        assert notes(log) == [], "nothing is made before it is allowed"
        bob.do("approve", question["request_id"])
        poll(lambda: notes(log) == ['note {"text": "one"}'], "what was allowed is made")
        bob.do("deny", bob.question(asked)["request_id"])
        ended = bob.until(asked, "failed")
        assert (ended["outcome"], ended["error"]["code"]) == ("blocked", "denied")
        told = [event["data"] for event in ended["events"] if event["type"] in ("tool_call", "tool_result")]
        assert [each.get("output") or each["input"]["text"] for each in told] == ["one", "noted one", "two"]
        assert len(notes(log)) == 1


def test_servers_are_written_down_tried_and_forgotten_at_a_terminal(
    neighbourhood: Neighbourhood, log: Path
) -> None:
    bob = neighbourhood.bob
    serve(bob, "odd", "odd", log)
    tried = bob.do("agent", "server", "test", "odd")
    assert [tool["name"] for tool in tried["tools"]][-1] == "mcp__odd__ansi"
    assert tried["left_out"] == ["a tool", tool_server.MARKUP, "huge"]
    shown = bob.try_("agent", "server", "test", "odd").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    serve(bob, "broken", "old", log)
    program = log.with_name("a-program")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert bob.try_("agent", "server", "add", "moved", "--", str(program)).code == 0
    assert bob.do("doctor")["ok"]
    program.unlink()
    ill = bob.do("doctor", code=1)
    checks = {check["name"]: check for check in ill["checks"] if check["name"].startswith("server ")}
    assert {name: check["ok"] for name, check in checks.items()} == {
        "server broken": True,
        "server files": True,
        "server mail": True,
        "server moved": False,
        "server odd": True,
    }
    assert str(program) in checks["server moved"]["detail"]
    assert checks["server moved"]["remedy"] == "dispatch agent server remove moved"
    bob.do("agent", "server", "remove", "moved")
    assert bob.do("agent", "server", "test", "broken", code=1)["ok"] is False
    for wrong, code in (
        (("add", "files", "--", sys.executable), "server_exists"),
        (("add", "a__b", "--", sys.executable), "usage"),
        (("add", "x", "--", "no-such-program-anywhere"), "usage"),
        (("add", "x", "--secret", "KEY=the-secret-itself", "--", sys.executable), "usage"),
        (("add", "x", "--env", "KEY", "--", sys.executable), "usage"),
        (("remove", "nothing"), "server_missing"),
        (("test", "nothing"), "server_missing"),
    ):
        ended = bob.try_("--json", "agent", "server", *wrong)
        assert ended.code in (2, 3), (wrong, ended)
        assert code in ended.out, (wrong, ended)
    listed = bob.do("agent", "server", "list")["servers"]
    assert [row["name"] for row in listed] == ["broken", "files", "mail", "odd"]
    assert (bob.home / "servers.json").stat().st_mode & 0o077 == 0
