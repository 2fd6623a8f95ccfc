"""A dispatch from one person to another, through every room, with the real programs."""

from pathlib import Path

import pytest

from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit, read

TOOLS = ("--tools", "Read,Glob,Grep,Edit,Write,Bash")
STEPS = [read("notes.md"), bash("ls src"), edit("notes.md", "first line", "second line")]


def test_task_is_run_approved_applied_and_returned(neighbourhood: Neighbourhood, repository: Path) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw")
    dispatch_id = neighbourhood.send("Change the notes", STEPS)

    assert bob.do("accept", dispatch_id)["status"] == "accepted"
    seen = []
    for _ in STEPS:
        question = bob.question(dispatch_id)
        seen.append((question["tool"], question["kind"]))
        assert changed(repository) == set()
        bob.do("approve", question["request_id"])
    closing = bob.question(dispatch_id)
    assert changed(repository) == set()
    assert seen == [("Read", "tool"), ("Bash", "tool"), ("Edit", "tool")]
    assert closing["kind"] == "changeset"
    assert "+second line" in closing["payload"]["diffs"][0]["text"]
    bob.do("approve", closing["request_id"])

    state = alice.until(dispatch_id, "completed")
    assert state["outcome"] == "success"
    assert [change["path"] for change in state["changeset"]] == [str(repository / "notes.md")]
    assert changed(repository) == {"notes.md"}
    assert (repository / "notes.md").read_text() == "# Notes\n\nsecond line\n"
    result = alice.do("result", dispatch_id)
    assert alice.do("verify", result["bundle"])["ok"]
    assert bob.do("verify", bob.do("result", dispatch_id)["bundle"])["ok"]


def test_denied_call_ends_the_run_and_changes_nothing(neighbourhood: Neighbourhood, repository: Path) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw")
    dispatch_id = neighbourhood.send("Change the notes", [STEPS[2], bash("true")])
    bob.do("accept", dispatch_id)
    bob.do("approve", bob.question(dispatch_id)["request_id"])
    bob.do("deny", bob.question(dispatch_id)["request_id"], "--reason", "no shell today")
    state = alice.until(dispatch_id, "failed")
    assert (state["outcome"], state["changeset"]) == ("blocked", [])
    assert changed(repository) == set()


def test_denied_changeset_changes_nothing(neighbourhood: Neighbourhood, repository: Path) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "review")
    dispatch_id = neighbourhood.send("Change the notes", [STEPS[2]])
    bob.do("accept", dispatch_id)
    closing = bob.question(dispatch_id)
    assert closing["kind"] == "changeset"
    bob.do("deny", closing["request_id"])
    state = neighbourhood.alice.until(dispatch_id, "failed")
    assert state["outcome"] == "blocked"
    assert changed(repository) == set()


def test_auto_edge_asks_nothing_and_still_needs_acceptance(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "auto", "--returns", "trace")
    dispatch_id = neighbourhood.send("Change the notes", STEPS)
    assert alice.until(dispatch_id, "delivered")["runs"] == []
    bob.do("accept", dispatch_id)
    state = alice.until(dispatch_id, "completed")
    assert [event["data"]["tool"] for event in state["events"] if event["type"] == "tool_call"] == [
        "Read",
        "Bash",
        "Edit",
    ]
    assert changed(repository) == {"notes.md"}


def test_auto_edge_asks_before_it_applies_a_flagged_name(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "auto")
    write = {"tool": "Write", "input": {"file_path": "Makefile", "content": "all:\n\ttrue\n"}}
    dispatch_id = neighbourhood.send("Add a Makefile", [write])
    bob.do("accept", dispatch_id)
    closing = bob.question(dispatch_id)
    assert closing["kind"] == "changeset"
    assert closing["flags"]
    bob.do("approve", closing["request_id"])
    neighbourhood.alice.until(dispatch_id, "completed")
    assert changed(repository) == {"Makefile"}


def test_session_and_always_spare_later_questions(neighbourhood: Neighbourhood, repository: Path) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:ro")
    steps = [read("notes.md"), read("src/app.py"), bash("true"), bash("true"), bash("echo other")]
    first = neighbourhood.send("Read around", steps)
    bob.do("accept", first)
    bob.do("approve", bob.question(first)["request_id"], "--grant", "session")
    question = bob.question(first)
    assert question["input"] == {"command": "true"}
    bob.do("approve", question["request_id"], "--grant", "always")
    question = bob.question(first)
    assert question["input"] == {"command": "echo other"}
    bob.do("approve", question["request_id"])
    neighbourhood.alice.until(first, "completed")

    second = neighbourhood.send("Again", [bash("true"), read("notes.md")])
    bob.do("accept", second)
    question = bob.question(second)
    assert question["tool"] == "Read"  # the session's yes ended with its run, the standing one did not
    bob.do("approve", question["request_id"])
    neighbourhood.alice.until(second, "completed")
    told = [each["data"] for each in bob.status(second)["events"] if each["type"] == "approval_decided"]
    assert [(each["decision"], each["decided_by"]) for each in told] == [
        ("approved", "rule"),
        ("approved", "cli"),
    ]
    (rule,) = bob.do("rules", "list")["rules"]
    assert (rule["tool"], rule["command"], rule["peer"]) == ("Bash", "true", neighbourhood.alice.address)
    bob.do("rules", "remove", rule["rule_id"])
    assert bob.do("rules", "list")["rules"] == []


def test_tool_outside_the_grant_is_refused_without_a_question(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend("--profile", "read-only", "--paths", f"{repository}:ro")
    dispatch_id = neighbourhood.send("Try", [bash("touch x")])
    bob.do("accept", dispatch_id)
    state = neighbourhood.alice.until(dispatch_id, "failed")
    assert state["outcome"] == "blocked"
    assert bob.do("approvals")["approvals"] == []


def test_failing_command_fails_the_run(neighbourhood: Neighbourhood, repository: Path) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "auto")
    dispatch_id = neighbourhood.send(
        "Fail", [edit("notes.md", "first", "last"), bash("exit 3"), bash("true")]
    )
    bob.do("accept", dispatch_id)
    state = neighbourhood.alice.until(dispatch_id, "failed")
    assert state["outcome"] == "failed"
    assert changed(repository) == set()


def test_task_without_steps_never_ends_as_a_success(neighbourhood: Neighbourhood, repository: Path) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw")
    dispatch_id = neighbourhood.send("Do something clever")
    bob.do("accept", dispatch_id, "--headless")
    state = neighbourhood.alice.until(dispatch_id, "failed", "waiting_input")
    assert state["outcome"] == "need_input"


def test_decline_and_cancel_reach_the_other_side(neighbourhood: Neighbourhood, repository: Path) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw")
    declined = neighbourhood.send("One")
    bob.do("decline", declined, "--reason", "busy")
    assert alice.until(declined, "declined")["decision"]["reason"] == "busy"
    cancelled = neighbourhood.send("Two")
    assert alice.do("cancel", cancelled)["cancel_requested"] is True
    alice.until(cancelled, "cancelled")
    bob.until(cancelled, "cancelled")
    assert bob.do("accept", cancelled, code=6)["error"]["code"] == "not_pending"


def test_cancel_of_a_running_dispatch_kills_it(neighbourhood: Neighbourhood, repository: Path) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "auto")
    marker = repository.parent / "marker"
    dispatch_id = neighbourhood.send("Wait", [edit("notes.md", "first", "x"), bash("sleep 300")])
    bob.do("accept", dispatch_id)
    alice.until(dispatch_id, "running")
    alice.do("cancel", dispatch_id)
    alice.until(dispatch_id, "cancelled")
    bob.until(dispatch_id, "cancelled")
    assert changed(repository) == set()
    assert not marker.exists()
    assert list((bob.home / "runs").glob("*/upper")) == []


@pytest.mark.parametrize("broker", ["there", "away"])
def test_revoking_the_edge_ends_what_waits_and_what_runs(
    neighbourhood: Neighbourhood, repository: Path, broker: str
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", "auto")
    running = neighbourhood.send("Wait", [bash("sleep 300")])
    waiting = neighbourhood.send("Later", [bash("true")])
    bob.do("accept", running)
    alice.until(running, "running")
    if broker == "away":
        neighbourhood.broker.stop()
    bob.do("revoke", alice.address)
    assert bob.until(running, "cancelled")["error"]["code"] == "edge_revoked"
    if broker == "away":
        assert alice.status(running)["status"] == "running"
        neighbourhood.broker.start()
    assert alice.until(running, "cancelled")["error"]["code"] == "edge_revoked"
    assert alice.until(waiting, "refused")["error"]["code"] == "edge_revoked"
    assert alice.do("send", bob.address, "More", code=3)["error"]["code"] in ("edge_revoked", "no_edge")


def test_own_task_runs_without_any_broker(place: Path, repository: Path) -> None:
    carol = Person("carol", place)
    try:
        carol.daemon.start()
        path = place / "steps.json"
        path.write_text(
            '[{"tool": "Edit", "input": {"file_path": "notes.md", "old_string": "first", "new_string": "own"}}]'
        )
        sent = carol.do("send", "me", "Change my notes", "--steps", str(path))
        assert sent["status"] == "delivered"
        listed = carol.do("inbox")["dispatches"][0]
        assert (listed["from"], listed["to"]) == ("me", "me")
        carol.do("accept", sent["dispatch_id"], "--cwd", str(repository))
        state = carol.approve_all(sent["dispatch_id"])
        assert (state["status"], changed(repository)) == ("completed", {"notes.md"})
        assert carol.do("verify", carol.do("result", sent["dispatch_id"])["bundle"])["ok"]
    finally:
        carol.daemon.stop()


@pytest.mark.parametrize(
    ("grants", "arguments", "code", "word"),
    [
        ((), (), 2, "cwd_needed"),
        (("{repository}:rw",), ("--cwd", "/usr"), 3, "outside_paths"),
        (("{repository}/src:rw", "{place}/other:ro"), (), 2, "cwd_needed"),
    ],
)
def test_run_directory_is_never_guessed(
    neighbourhood: Neighbourhood,
    place: Path,
    repository: Path,
    grants: tuple[str, ...],
    arguments: tuple[str, ...],
    code: int,
    word: str,
) -> None:
    (place / "other").mkdir()
    named = [grant.format(repository=repository, place=place) for grant in grants]
    paths = [part for grant in named for part in ("--paths", grant)]
    neighbourhood.befriend(*TOOLS, *paths)
    dispatch_id = neighbourhood.send("Where?", [bash("true")])
    bob = neighbourhood.bob
    assert bob.do("accept", dispatch_id, *arguments, code=code)["error"]["code"] == word
    assert bob.status(dispatch_id)["status"] == "delivered"


@pytest.mark.parametrize(
    ("path", "code", "word"),
    [
        ("/", 3, "path_system"),
        ("{home}", 3, "path_private"),
        ("{place}/nowhere", 2, "path_missing"),
        ("{repository}:ro,{repository}/src", 2, "grants_nested"),
    ],
)
def test_what_must_never_be_granted_is_refused_before_anything_is_said(
    neighbourhood: Neighbourhood, place: Path, repository: Path, path: str, code: int, word: str
) -> None:
    bob = neighbourhood.bob
    token = neighbourhood.alice.do("invite", bob.address, "--link-only")["token"]
    granted = path.format(home=bob.home, place=place, repository=repository)
    refusal = bob.do("accept-invitation", token, "--profile", "edit", "--paths", f"{granted}:rw", code=code)
    assert refusal["error"]["code"] == word
    assert bob.do("contacts")["edges"] == []
    assert bob.do("accept-invitation", token, "--profile", "read-only")["trust"] == "token"
