"""An edge that is edited: what was not mentioned stays, both sides see it, and a run that outgrows it ends."""

import json
from pathlib import Path
from typing import Any

from tests.support.agent_session import agent_session
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit, read
from tests.support.patience import poll

SCOPES = ("--tools", "Read,Edit,Bash")


def test_narrowing_ends_what_may_do_more_and_lets_the_rest_go_on(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw", "--max-per-day", "9")
    before = bob.do("edit-edge", alice.address)
    assert (before["scopes"]["tools"], before["runs_ended"]) == (["Bash", "Edit", "Read"], 0)
    waiting = neighbourhood.send("Change it", [edit("notes.md", "first", "second"), bash("true")])
    undecided = neighbourhood.send("Read it later", [read("notes.md"), edit("notes.md", "first", "third")])
    bob.do("accept", waiting)
    bob.question(waiting)

    edited = bob.do("edit-edge", alice.address, "--tools", "Read")
    assert edited["runs_ended"] == 1
    assert edited["scopes"] == before["scopes"] | {"tools": ["Read"]}
    assert "--profile" not in bob.try_("edit-edge", alice.address).out, "read-only would be wider"
    for person in (bob, alice):
        state = person.until(waiting, "cancelled")
        assert state["error"]["code"] == "edge_narrowed"
    assert changed(repository) == set()
    poll(lambda: _scopes(alice)["tools"] == ["Read"], "the sender sees what is granted now")

    bob.do("accept", undecided)
    state = bob.until(undecided, "completed", "failed")
    assert state["outcome"] != "success", (
        "a task that came before is bounded by what is granted when it starts"
    )
    assert changed(repository) == set()

    again = bob.do("edit-edge", alice.address, "--profile", "edit", "--approval", "review")
    assert (again["runs_ended"], again["scopes"]["max_per_day"]) == (0, 9)
    poll(lambda: _scopes(alice)["approval"] == "review", "a newer version counts, also a wider one")
    narrower = f"dispatch edit-edge {alice.address} --profile read-only"
    assert narrower in bob.try_("edit-edge", alice.address).out
    for wrong, said in (
        ("soon", "--expires-at: "),
        ("2020-01-01T00:00:00Z", "this grant would have expired"),
    ):
        refused = bob.do("edit-edge", alice.address, "--expires-at", wrong, code=2)["error"]
        assert (refused["hint"], refused["message"].startswith(said)) == ("dispatch edit-edge --help", True)


def test_an_edit_made_without_the_relay_is_told_later(neighbourhood: Neighbourhood, repository: Path) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    neighbourhood.broker.stop()
    bob.do("edit-edge", alice.address, "--max-per-day", "2", "--tools", "Read")
    bob.do("edit-edge", alice.address, "--max-per-day", "1")
    bob.daemon.kill()
    bob.daemon.start()
    neighbourhood.broker.start()
    poll(lambda: (_scopes(alice)["max_per_day"], _scopes(alice)["tools"]) == (1, ["Read"]), "both are told")
    alice.do("send", bob.address, "One")
    assert _refused(alice, "send", bob.address, "Two")["code"] == "daily_limit", (
        "the relay knows the bound too"
    )


def test_an_end_is_set_and_lifted_again(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read", "--expires-at", "2091-01-01T00:00:00Z")
    poll(lambda: _scopes(alice)["expires_at"] == "2091-01-01T00:00:00.000Z", "the sender sees the end")
    assert bob.do("edit-edge", alice.address, "--max-per-day", "3")["scopes"]["expires_at"] is not None
    assert bob.do("edit-edge", alice.address, "--expires-at", "never")["scopes"]["expires_at"] is None
    poll(lambda: _scopes(alice)["expires_at"] is None, "the sender sees that there is none")
    budget = bob.do("edit-edge", alice.address, "--budget", "turns=5,usd=1")["scopes"]["budget"]
    assert budget == {"tokens": None, "turns": 5, "cost_microusd": 1_000_000}
    assert bob.do("edit-edge", alice.address, "--tools", "Read")["scopes"]["budget"] == budget
    assert "at most 5 turns, $1.00 a run" in bob.try_("edit-edge", alice.address).out
    lifted = bob.do("edit-edge", alice.address, "--budget", "none")["scopes"]["budget"]
    assert set(lifted.values()) == {None}
    assert bob.do("edit-edge", alice.address, "--budget", "usd=much", code=2)["error"]["code"] == "usage"


def test_an_edit_that_no_run_here_could_be_given_changes_nothing(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read", "--paths", f"{repository}:ro")
    before = bob.do("edit-edge", alice.address)["scopes"]
    for flag, value, code in (
        ("--paths", "/no/such/place", "path_missing"),
        ("--paths", str(bob.home), "path_private"),
        ("--network", "192.0.2.1", "invalid"),
        ("--mcp-servers", "files", "mcp_unavailable"),
        ("--tools", "Raed", "invalid"),
        ("--expires-at", "2001-01-01T00:00:00Z", "invalid"),
    ):
        assert _refused(bob, "edit-edge", alice.address, flag, value)["code"] == code, flag
    both = ("--tools", "Read", "--profile", "edit")
    assert _refused(bob, "edit-edge", alice.address, *both)["code"] == "invalid"
    assert _refused(bob, "edit-edge", "nobody@example.org", "--tools", "Read")["code"] == "peer_unknown"
    assert _refused(alice, "edit-edge", bob.address, "--tools", "Read")["code"] == "peer_unknown"
    assert bob.do("edit-edge", alice.address)["scopes"] == before
    bob.do("revoke", alice.address)
    assert _refused(bob, "edit-edge", alice.address, "--tools", "Read")["code"] == "not_pending"


def test_how_long_a_run_may_take_and_a_question_waits_is_granted_kept_and_held(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    times = ("--max-runtime", "2", "--approval-timeout", "1")
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw", *times)
    edited = bob.do("edit-edge", alice.address, "--max-per-day", "9")["scopes"]
    assert (edited["max_runtime_s"], edited["approval_timeout_s"], edited["max_per_day"]) == (2, 1, 9)
    assert "a run may take 2.0 s, a question waits 1.0 s" in bob.try_("edit-edge", alice.address).out

    asked = neighbourhood.send("Ask first", [bash("true")])
    bob.do("accept", asked, "--detach")
    assert bob.until(asked, "waiting_input")["outcome"] == "blocked", (
        "nobody answered, twice: it is set aside"
    )
    bob.do("discard", asked)

    bob.do("edit-edge", alice.address, "--approval", "auto")
    slow = neighbourhood.send("Take your time", [bash("sleep 600")])
    bob.do("accept", slow, "--detach")
    assert bob.until(slow, "failed")["error"]["code"] == "wall_clock"

    bob.do("edit-edge", alice.address, "--max-runtime", "600")
    going = neighbourhood.send("Take your time", [bash("sleep 600")])
    bob.do("accept", going, "--detach")
    bob.until(going, "running")
    assert bob.do("edit-edge", alice.address, "--max-runtime", "599")["runs_ended"] == 1
    bad = bob.do("edit-edge", alice.address, "--max-runtime", "0", code=2)
    assert bad["error"]["code"] == "usage"


async def test_an_agent_session_edits_what_its_human_says(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    async with agent_session(bob) as session:
        shown = await session.call("trust", action="edit", peer=alice.address)
        assert shown["scopes"]["tools"] == ["Bash", "Edit", "Read"]
        edited = await session.call(
            "trust", action="edit", peer=alice.address, tools="Read", approval="review"
        )
        assert (edited["scopes"]["tools"], edited["scopes"]["approval"]) == (["Read"], "review")
        assert [entry["mode"] for entry in edited["scopes"]["paths"]] == ["rw"]


def _scopes(person: Person) -> dict[str, Any]:
    (edge,) = person.do("contacts")["edges"]
    scopes: dict[str, Any] = edge["scopes"]
    return scopes


def _refused(person: Person, *arguments: str) -> dict[str, Any]:
    ended = person.try_(*arguments, "--json")
    assert ended.code in (2, 3, 6), ended
    error: dict[str, Any] = json.loads(ended.out)["error"]
    return error
