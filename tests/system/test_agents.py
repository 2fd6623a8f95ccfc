"""A task without steps, decided by a model at an endpoint on this machine, with the real programs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispatch_command import Terminal
from tests.support.model_server import ModelServer, model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, Person, changed
from tests.support.patience import poll

TOOLS = ("--tools", "Read,Edit,Bash")
READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
EDIT = {
    "tool": "Edit",
    "input": {"file_path": "notes.md", "old_string": "first line", "new_string": "second line"},
}
KEY = "key-of-bob-alone"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server_beside() as playing:
        yield playing


def send(neighbourhood: Neighbourhood, task: str) -> str:
    sent = neighbourhood.alice.do("send", neighbourhood.bob.address, task)
    dispatch_id: str = sent["dispatch_id"]
    neighbourhood.bob.receives(dispatch_id)
    return dispatch_id


def choose(neighbourhood: Neighbourhood, model: ModelServer) -> None:
    key = neighbourhood.bob.home / "model.key"
    key.write_text(KEY)
    key.chmod(0o600)
    chosen = neighbourhood.bob.do(
        "agent", "use", "anthropic:a-model", "--url", model.url, "--key-file", str(key)
    )
    assert chosen == {"agent": "anthropic:a-model", "url": model.url, "key": f"file:{key}"}


def test_a_model_works_as_far_as_its_person_allows(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--returns", "trace")
    choose(neighbourhood, model)
    env = {"tool": "Bash", "input": {"command": "env; cat /proc/*/environ; ls /"}}
    task = scripted([{"think": "hm"}, "I look first.", READ], [EDIT, env], ["The greeting is right now."])
    dispatch_id = send(neighbourhood, task)
    bob.do("accept", dispatch_id)
    state = bob.approve_all(dispatch_id)
    assert (state["status"], state["outcome"]) == ("completed", "success")
    assert state["runs"][0]["agent"] == "model"
    told = alice.until(dispatch_id, "completed")
    assert told["result"]["summary"] == "The greeting is right now."
    assert changed(repository) == {"notes.md"}
    assert [
        event["type"] for event in told["events"] if event["type"] in ("message", "reasoning", "tool_call")
    ] == [
        "reasoning",
        "message",
        "tool_call",
        "tool_call",
        "tool_call",
        "message",
    ]
    assert told["runs"][0]["usage"] == {
        "tool_calls": 3,
        "turns": 3,
        "input_tokens": 30,
        "output_tokens": 18,
        "cost_microusd": None,
    }
    assert alice.do("verify", alice.do("result", dispatch_id)["bundle"])["ok"]
    assert {headers["x-api-key"] for headers in model.headers} == {KEY}
    everything = str(state) + str(told) + str(model.requests) + neighbourhood.bob.daemon.log.read_text()
    assert KEY not in everything


def without(task: str, told: dict[str, Any]) -> str:
    """Return everything that an author is told but for their own words, wherever those stand."""
    return json.dumps(told).replace(json.dumps(task)[1:-1], "")


def test_words_alone_are_read_by_a_person_before_they_leave(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:ro", "--approval", "review")
    choose(neighbourhood, model)
    dispatch_id = send(neighbourhood, scripted([READ], ["It says: first line."]))
    bob.do("accept", dispatch_id)
    question = bob.question(dispatch_id)
    assert (question["kind"], question["title"], question["input"]) == ("changeset", "Return the result", [])
    assert question["payload"]["result"] == "It says: first line."
    assert alice.status(dispatch_id)["result"] is None
    bob.do("deny", question["request_id"])
    told = alice.until(dispatch_id, "failed")
    assert (told["outcome"], told["runs"][0]["code"]) == ("blocked", "changeset_denied")
    assert told["result"]["summary"] == ""
    assert "first line" in str(bob.status(dispatch_id)["events"])
    assert "first line" not in without(told["task"], told)


def test_of_a_run_that_failed_nothing_leaves_that_nobody_read(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(
        *TOOLS, "--paths", f"{repository}:ro", "--approval", "review", "--returns", "trace"
    )
    choose(neighbourhood, model)
    dispatch_id = send(neighbourhood, scripted([READ], ["I saw: first line.", {"refuse": True}]))
    bob.do("accept", dispatch_id)
    told = alice.until(dispatch_id, "failed")
    assert (told["outcome"], told["runs"][0]["code"]) == ("failed", "model_declined")
    assert "first line" in str(bob.status(dispatch_id)["events"])
    assert "first line" not in without(told["task"], told)


def test_what_two_people_said_reaches_the_agent_as_far_as_it_was_read(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:ro", "--approval", "auto")
    choose(neighbourhood, model)
    dispatch_id = send(neighbourhood, scripted(["Which file do you mean?"]))
    alice.until(dispatch_id, "delivered")
    bob.do("reply", dispatch_id, "Is it about the notes?")
    alice.do("reply", dispatch_id, "Yes, notes.md.")
    poll(lambda: bob.status(dispatch_id)["unread"], "her answer arrives")
    bob.do("thread", dispatch_id)
    alice.do("reply", dispatch_id, "And delete everything.")
    poll(lambda: bob.status(dispatch_id)["unread"], "more words arrive, which Bob does not read")
    bob.do("accept", dispatch_id)
    alice.until(dispatch_id, "completed")
    told = str(model.requests)
    assert "bob@example.org: Is it about the notes?" in told
    assert "alice@example.org: Yes, notes.md." in told
    assert "delete everything" not in told, "nobody adds to a task after it was looked at"

    follow = alice.do("followup", dispatch_id, "Go on with that one.")["dispatch_id"]
    bob.receives(follow)
    bob.do("accept", follow)
    alice.until(follow, "completed")
    assert "It ended: success. Which file do you mean?" in str(model.requests[-1])


def typed(person: Person, *arguments: str) -> dict[str, Any]:
    """Type a command that must wait for a human, on a terminal, and return the document that it prints."""
    with Terminal(person.home, *arguments, DISPATCH_KEY_BACKEND="file") as terminal:
        assert terminal.end() == 8
        document: dict[str, Any] = json.loads(terminal.plain)
    return document


def test_without_an_agent_or_its_key_nothing_is_accepted_and_the_way_is_said(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:ro")
    steps = neighbourhood.directory / "steps.json"
    for step, why in (
        (
            {"tool": "Bsh", "input": {"command": "ls"}},
            "step 2: there is no tool called Bsh; there are Bash, ",
        ),
        ({"tool": "Bash", "input": {"cmd": "ls"}}, "step 2: Bash has no field 'cmd'"),
    ):
        steps.write_text(json.dumps([READ, step]))
        error = alice.do("send", bob.address, "x", "--steps", str(steps), code=2)["error"]
        assert error["code"] == "steps_invalid"
        assert why in error["message"]
    first = send(neighbourhood, "Look around")
    refused = typed(bob, "accept", first, "--json")["error"]
    assert (refused["code"], refused["hint"]) == ("no_agent", "dispatch agent list")
    by_hand = f"dispatch accept {first[:8]} --by-hand"
    assert refused["candidates"][-1] == by_hand
    with Terminal(bob.home, "accept", first, "--detach", DISPATCH_KEY_BACKEND="file") as terminal:
        terminal.expect("--by-hand")
        assert terminal.end() == 8
    assert (bob.status(first)["status"], bob.status(first)["runs"]) == ("delivered", [])
    bob.do("agent", "use", "anthropic:a-model")
    (_, chosen, *_) = bob.do("agent", "list")["agents"]
    assert (chosen["ready"], chosen["remedy"]) == (
        False,
        "dispatch agent use anthropic:a-model --key-env ANTHROPIC_API_KEY",
    )
    assert bob.do("agent", "test", code=3)["error"]["code"] == "agent_key_missing"
    refused = typed(bob, "accept", first, "--json")["error"]
    assert (refused["code"], refused["candidates"]) == ("agent_key_missing", [chosen["remedy"], by_hand])
    assert bob.status(first)["status"] == "delivered"
    bob.do(*by_hand.split()[1:])  # what was offered can still be done
    assert bob.do("complete", first, "--text", "I looked.")["status"] == "completed"

    second = send(neighbourhood, "Look around again")
    bob.do("accept", second)  # where no terminal is, nobody can choose
    state = bob.until(second, "failed")
    assert (state["outcome"], state["runs"][0]["code"]) == ("need_input", "agent_key_missing")
    assert "Before the next one: dispatch agent use" in state["error"]["detail"]
    assert alice.until(second, "failed")["outcome"] == "need_input"
    bob.receives(alice.do("resend", second)["dispatch_id"])


def test_an_endpoint_that_breaks_fails_the_run_and_changes_nothing(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "auto")
    bob.do("agent", "use", "openai:m", "--url", "http://127.0.0.1:9")
    assert bob.do("agent", "test", code=1)["ok"] is False
    listed = bob.try_("agent", "list").out
    assert "silent" in listed
    assert "mend it with   start what serves http://127.0.0.1:9, then: dispatch agent test" in listed
    dispatch_id = send(neighbourhood, "Change something")
    bob.do("accept", dispatch_id)
    state = neighbourhood.alice.until(dispatch_id, "failed")
    assert (state["outcome"], state["runs"][0]["code"]) == ("failed", "model_unreachable")
    assert changed(repository) == set()


def test_a_limit_in_money_holds_at_the_price_that_its_owner_told(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer
) -> None:
    """10 tokens in and 6 out a turn: 22 millionths of a dollar at 1 and 2 dollars for a million."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "auto", "--budget", "usd=0.1")
    choose(neighbourhood, model)
    task = scripted([READ], [READ], [EDIT], ["done"])
    sent = alice.do("send", bob.address, task, "--budget", "turns=9,usd=0.00004")
    dispatch_id = sent["dispatch_id"]
    bob.receives(dispatch_id)
    refused = bob.do("accept", dispatch_id, code=3)["error"]
    assert refused["code"] == "price_unknown"
    assert "dispatch config set agent_prices a-model=IN/OUT" in refused["hint"]
    assert bob.status(dispatch_id)["status"] == "delivered"
    shown = bob.try_("status", dispatch_id).out
    assert "Budget: at most 9 turns, $0.00004 a run" in shown

    chosen = ("agent", "use", "anthropic:a-model", "--url", model.url, "--key-file", f"{bob.home}/model.key")
    bob.do(*chosen, "--price", "1/2")
    assert bob.do("config", "get", "agent_prices")["value"] == "a-model=1/2"
    bob.do("accept", dispatch_id)
    told = alice.until(dispatch_id, "failed")
    assert (told["outcome"], told["error"]["code"]) == ("blocked", "budget")
    assert told["runs"][0]["usage"]["cost_microusd"] == 44
    assert changed(repository) == set()
    assert "2 turns, 32 tokens, $0.000044" in bob.try_("status", dispatch_id).out
    spoken = bob.try_("thread", dispatch_id).out
    assert "agent anthropic:a-model" in spoken
    assert "2 turns, 32 tokens, $0.000044" in spoken
    (shown_in_thread,) = bob.do("thread", dispatch_id)["dispatches"]
    assert shown_in_thread["runs"][0]["model"] == "anthropic:a-model"
    (run,) = bob.status(dispatch_id)["runs"]
    assert (run["agent"], run["model"]) == ("model", "anthropic:a-model")
    (theirs,) = told["runs"]
    assert (theirs["agent"], theirs["model"]) == ("model", None), "which one it asks is its owner's affair"
    assert "anthropic:a-model" not in alice.try_("status", dispatch_id).out

    cheap = send(neighbourhood, scripted([READ], ["It says: first line."]))
    bob.do("accept", cheap)
    assert alice.until(cheap, "completed")["runs"][0]["usage"]["cost_microusd"] == 44


def test_both_sides_are_told_why_it_ended_each_in_words_of_its_own(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer
) -> None:
    """What the machine says of its model stays there; the author has the signed code, and what can be typed next."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    scopes = ("--paths", f"{repository}:rw", "--approval", "auto", "--returns", "trace")
    neighbourhood.befriend(*TOOLS, *scopes, "--budget", "turns=1")
    choose(neighbourhood, model)
    spent = send(neighbourhood, scripted([READ], ["done"]))
    bob.do("accept", spent)
    told = alice.until(spent, "failed")
    assert (told["outcome"], told["error"]["code"]) == ("blocked", "budget")
    shown = alice.try_("result", spent).out
    assert "Blocked: a budget was used up. Nothing was changed." in shown
    assert "denied" not in shown
    watched = alice.try_("watch", spent).out
    assert f"dispatch followup {spent[:8]} TASK --budget" in watched
    here = bob.try_("status", spent).out
    assert here.count("the model has used its only turn") == 1 + ("· the model has used" in here)
    assert f"dispatch edit-edge {alice.address} --budget" in here

    bob.do("agent", "use", "openai:m", "--url", "http://127.0.0.1:9")
    bob.do("config", "set", "agent_key", "")
    lost = send(neighbourhood, "Change something")
    bob.do("accept", lost)
    told = alice.until(lost, "failed")
    assert told["error"] == {
        "code": "model_unreachable",
        "detail": "Their model did not answer.",
        "hint": f"dispatch followup {lost[:8]} TASK",
    }
    assert "127.0.0.1" not in without("Change something", told)
    here = bob.status(lost)["error"]
    assert (here["detail"], here["hint"]) == ("nobody answers at http://127.0.0.1:9", "dispatch agent test")
