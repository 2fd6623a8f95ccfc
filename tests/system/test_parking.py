"""Nobody answers: the run is parked, outlives its daemon, and goes on where it stopped once a human takes it up."""

import json
from pathlib import Path

import pytest

from tests.support.chosen import choose
from tests.support.model_server import ModelServer, model_server_beside, scripted
from tests.support.moved_clocks import Shifted
from tests.support.neighbourhood import bash, changed, edit

SCOPES = ("--tools", "Read,Edit,Bash")
FIRST = edit("notes.md", "first line", "second line")
WITNESS = bash("cat notes.md; ls", save_as="seen.txt")
OUTBOX = bash('echo made > "$DISPATCH_ARTIFACTS/made.txt"')


def test_parked_run_outlives_its_daemon_and_is_applied_after_it_was_resumed(
    shifted: Shifted, repository: Path
) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    name = shifted.everybody.send("Set it right", [FIRST, OUTBOX, WITNESS])
    bob.do("accept", name)
    for _ in range(2):
        bob.do("approve", bob.question(name)["request_id"])
    parked = shifted.park(bob, name)
    assert (parked["outcome"], parked["error"]["code"]) == ("blocked", "parked")
    assert [change["path"] for change in parked["changeset"]] == [str(repository / "notes.md")]
    assert parked["questions"] == {"answered": 2, "unanswered": 2, "open": 0}
    assert changed(repository) == set()
    told = alice.until(name, "waiting_input")
    assert (told["outcome"], told["error"]["code"], told["changeset"]) == ("blocked", "parked", [])
    assert "ls" not in json.dumps(told["error"])

    assert alice.do("resume", name, code=3)["error"]["code"] == "wrong_party"
    bob.daemon.kill()
    bob.daemon.start()
    assert bob.status(name)["status"] == "waiting_input"
    bob.do("resume", name)
    assert bob.do("resume", name, code=6)["error"]["code"] == "not_pending"
    question = bob.question(name)
    assert question["input"]["command"] == "cat notes.md; ls"
    alice.until(name, "waiting_approval")
    ended = bob.approve_all(name)

    assert (ended["status"], ended["outcome"], ended["error"]) == ("completed", "success", None)
    assert {artifact["name"] for artifact in ended["artifacts"]} == {"seen.txt", "made.txt"}
    (result,) = [event for event in ended["events"] if "second line" in str(event["data"].get("output"))]
    assert result["type"] == "tool_result"
    assert changed(repository) == {"notes.md"}
    told = alice.until(name, "completed")
    assert [step[3:7] for step in told["result"]["summary"].splitlines()] == ["Edit", "Bash", "Bash"]
    assert alice.do("verify", alice.do("result", name)["bundle"])["ok"]


def test_parked_run_is_dropped_by_its_human_by_its_author_or_by_time(
    shifted: Shifted, repository: Path
) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    names = [shifted.everybody.send(f"Set it right {number}", [FIRST]) for number in range(3)]
    for name in names:
        bob.do("accept", name)
        shifted.park(bob, name)
    discarded, cancelled, left = names

    (repository / "notes.md").write_text("mine\n")
    # Nothing was written yet, so nothing is in the way: only what the run has changed can clash.
    bob.do("discard", discarded)
    assert bob.do("discard", discarded, code=6)["error"]["code"] == "not_pending"
    state = bob.status(discarded)
    assert (state["status"], state["outcome"], state["error"]["code"]) == ("failed", "blocked", "discarded")
    assert alice.until(discarded, "failed")["error"]["code"] == "discarded"

    alice.until(cancelled, "waiting_input")
    alice.do("cancel", cancelled)
    assert alice.until(cancelled, "cancelled")["outcome"] is None
    assert bob.do("resume", cancelled, code=6)["error"]["code"] == "not_pending"

    shifted.shift("bob", 8 * 86_400_000)
    bob.do("send", "me", "wake up")
    assert bob.until(left, "failed")["error"]["code"] == "not_resumed"
    assert alice.until(left, "failed")["outcome"] == "blocked"
    assert (repository / "notes.md").read_text() == "mine\n"
    assert list((bob.home / "runs").glob("*/kept.json")) == []
    assert list((bob.home / "runs").glob("*/upper")) == []


def test_a_model_goes_on_in_the_conversation_that_was_parked(shifted: Shifted, repository: Path) -> None:
    bob = shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    with model_server_beside() as model:
        name = _parked_model(shifted, repository, model)
        asked = len(model.requests)
        bob.do("agent", "use", "none")
        refused = bob.do("resume", name, code=3)["error"]
        assert (refused["code"], refused["candidates"][-1]) == ("no_agent", f"dispatch discard {name[:8]}")
        assert bob.status(name)["status"] == "waiting_input", (
            "what was done so far is kept until there is one"
        )
        bob.do("agent", "use", "anthropic:a-model", "--url", model.url)
        bob.daemon.stop()
        bob.daemon.start()
        bob.do("resume", name)
        ended = bob.approve_all(name)
    assert (ended["status"], ended["result"]["summary"]) == ("completed", "It is right now.")
    assert ended["runs"][0]["usage"]["turns"] == 2
    assert len(model.requests) == asked + 1
    assert changed(repository) == {"notes.md"}


@pytest.mark.parametrize("agent", ["claude", "acp"])
def test_an_agents_program_goes_on_in_the_session_that_was_parked(
    shifted: Shifted, repository: Path, agent: str
) -> None:
    """Its program is the tests'; it is told that its open call was not made, and makes it again."""
    bob = shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    with model_server_beside() as model:
        choose(bob, agent, model.url)
        task = scripted(["I begin.", FIRST], [WITNESS], [WITNESS], ["It is right now."])
        name = shifted.everybody.send(task)
        bob.do("accept", name)
        bob.do("approve", bob.question(name)["request_id"])
        shifted.park(bob, name)
        bob.daemon.stop()
        bob.daemon.start()
        bob.do("resume", name)
        ended = bob.approve_all(name)
    assert (ended["status"], ended["result"]["summary"]) == ("completed", "It is right now."), ended
    assert ended["runs"][0]["usage"]["turns"] == 4
    calls = [event["data"]["tool"] for event in ended["events"] if event["type"] == "tool_call"]
    assert calls == ["Edit", "Bash", "Bash"]
    assert changed(repository) == {"notes.md"}


def _parked_model(shifted: Shifted, repository: Path, model: ModelServer) -> str:
    bob = shifted.everybody.bob
    bob.do("agent", "use", "anthropic:a-model", "--url", model.url)
    name = shifted.everybody.send(scripted(["I begin.", FIRST, WITNESS], ["It is right now."]))
    bob.do("accept", name)
    bob.do("approve", bob.question(name)["request_id"])
    shifted.park(bob, name)
    assert changed(repository) == set()
    return name
