"""What a person may say to a run of their own machine, through every face at once, with the real programs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispatch_command import environment
from tests.support.moved_clocks import Shifted
from tests.support.neighbourhood import Person, bash, changed, edit
from tests.support.patience import poll

FIRST = edit("notes.md", "first line", "second line")


@pytest.fixture
def shifted(place: Path) -> Iterator[Shifted]:
    """One person at one machine, without a broker; their clock can be moved."""
    made = Shifted(place)
    try:
        made.everybody.bob.daemon.start()
        yield made
    finally:
        made.everybody.bob.daemon.stop()


@pytest.fixture
def bob(shifted: Shifted) -> Person:
    return shifted.everybody.bob


def job(bob: Person, repository: Path, *steps: dict[str, Any]) -> str:
    """Let Bob ask his own machine for something, and accept it."""
    name = waiting(bob, *steps)
    bob.do("accept", name, "--cwd", str(repository))
    return name


def waiting(bob: Person, *steps: dict[str, Any]) -> str:
    given = json.dumps(steps).encode()
    more = ("--steps", "-") if steps else ()
    name: str = bob.do("send", "me", "Do it", *more, stdin=given)["dispatch_id"]
    return name


def test_parked_run_does_not_go_on_over_what_somebody_changed_since(
    shifted: Shifted, bob: Person, repository: Path
) -> None:
    name = job(bob, repository, FIRST, bash("cat notes.md"))
    bob.do("approve", bob.question(name)["request_id"])
    shifted.park(bob, name)
    (repository / "notes.md").write_text("mine\n")
    refused = bob.do("resume", name, code=3)["error"]
    assert (refused["code"], refused["hint"]) == ("changed_meanwhile", f"dispatch discard {name[:8]}")
    assert "notes.md" in refused["message"]
    bob.do("discard", name)
    assert bob.status(name)["error"]["code"] == "discarded"
    assert (repository / "notes.md").read_text() == "mine\n"


@pytest.mark.parametrize("place_of_death", ["resumed", "restarted"])
def test_run_that_was_taken_up_is_owed_over_a_crash(
    shifted: Shifted, bob: Person, repository: Path, place_of_death: str
) -> None:
    name = job(bob, repository, FIRST, bash("cat notes.md"))
    bob.do("approve", bob.question(name)["request_id"])
    shifted.park(bob, name)
    bob.daemon.stop()
    dying = Person.program(bob.home, "tests.support.dying_daemon", bob.daemon.log)
    dying.environ["DISPATCH_TEST_DIES_AT"] = place_of_death
    dying.start()
    bob.try_("resume", name, "--no-start")
    assert dying.process is not None
    dying.process.wait(timeout=60)
    dying.stop()
    bob.daemon.start()
    assert bob.question(name)["input"]["command"] == "cat notes.md"
    ended = bob.approve_all(name)
    assert (ended["status"], ended["outcome"]) == ("completed", "success")
    assert changed(repository) == {"notes.md"}


def test_of_many_answers_at_once_one_is_applied_and_all_are_told_which(bob: Person, repository: Path) -> None:
    name = job(bob, repository, bash("true"))
    request = bob.question(name)["request_id"]
    answers = [("approve", request, "--grant", "session"), ("deny", request, "--reason", "no")] * 4
    typed = [
        subprocess.Popen(
            [sys.executable, "-m", "dispatch_cli", "--json", *answer],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(bob.home, DISPATCH_KEY_BACKEND="file"),
        )
        for answer in answers
    ]
    faces = [ask_door(bob, request, face) for face in ("page", "mcp")]
    told = [(json.loads(each.communicate()[0]), each.returncode) for each in typed]
    told += [
        (answer if code == 200 else {"error": answer}, 0 if code == 200 else 6) for code, answer in faces
    ]
    applied = [answer for answer, code in told if code == 0]
    (won,) = applied
    lost = [answer["error"] for answer, code in told if code == 6]
    assert len(lost) == len(answers) + len(faces) - 1
    names = ("request_id", "status", "grant", "decided_by", "decided_at")
    assert {tuple(error["applied"][key] for key in names) for error in lost} == {
        tuple(won[key] for key in names)
    }
    (event,) = [each for each in bob.status(name)["events"] if each["type"] == "approval_decided"]
    assert (event["data"]["decision"], event["data"]["decided_by"]) == (won["status"], won["decided_by"])


def ask_door(bob: Person, request: str, face: str) -> tuple[int, dict[str, Any]]:
    """Approve at the TCP door, as a page or an agent session does."""
    host = bob.daemon.url.removeprefix("http://")
    token = (bob.home / "local.token").read_text()
    body = json.dumps({"decision": "approve", "by": face})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = HTTPConnection(host, timeout=60)
    try:
        connection.request("POST", f"/v1/approvals/{request}", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_run_may_be_reviewed_instead_and_then_asks_once_more(bob: Person, repository: Path) -> None:
    name = job(bob, repository, FIRST, bash("true"), bash("echo x > made.txt"))
    asked = bob.question(name)
    assert asked["can_review"] is True
    always = [each for each in asked["grant_details"] if each["grant"] == "always"]
    assert [each["path"] for each in always] == [str(repository)]
    bob.do("review", name)
    assert bob.do("review", name, code=6)["error"]["code"] == "not_pending"
    closing = bob.question(name)
    assert closing["kind"] == "changeset"
    assert {change["path"] for change in closing["input"]} == {
        str(repository / "notes.md"),
        str(repository / "made.txt"),
    }
    assert changed(repository) == set()
    bob.do("approve", closing["request_id"])
    state = bob.until(name, "completed")
    assert changed(repository) == {"notes.md", "made.txt"}
    assert state["runs"][0]["scopes"]["approval"] == "review"
    said = [each["data"] for each in state["events"] if each["type"] == "dispatch.decision.made"]
    assert {"decision": "review", "decided_by": "cli"} in said


def test_output_that_would_leave_is_shown_first_and_then_leaves(bob: Person, repository: Path) -> None:
    name = job(bob, repository, bash("cat notes.md", save_as="seen.txt"))
    bob.do("approve", bob.question(name)["request_id"])
    closing = bob.question(name)
    assert (closing["kind"], closing["title"], closing["input"]) == ("changeset", "Return the result", [])
    assert [artifact["name"] for artifact in closing["payload"]["artifacts"]] == ["seen.txt"]
    bob.do("approve", closing["request_id"])
    assert bob.until(name, "completed", "failed")["outcome"] == "success"


def test_a_denial_that_stops_ends_everything_at_once(bob: Person, repository: Path) -> None:
    name = job(bob, repository, bash("sleep 600 & echo started"), bash("true"))
    bob.do("approve", bob.question(name)["request_id"])
    second = poll(
        lambda: [each for each in bob.do("approvals")["approvals"] if each["input"]["command"] == "true"],
        "the second call is asked",
    )
    answer = bob.do("deny", second[0]["request_id"], "--stop", "--reason", "enough")
    assert (answer["status"], answer["stopped"]) == ("denied", True)
    state = bob.status(name)
    assert (state["status"], state["outcome"], state["error"]["code"]) == ("failed", "blocked", "stopped")
    assert not list((bob.home / "runs").glob("*"))
    assert bob.do("approvals")["approvals"] == []


def test_a_task_done_by_hand_needs_no_wall_and_outlives_the_daemon(bob: Person, place: Path) -> None:
    name = waiting(bob)
    accepted = bob.do("accept", name, "--by-hand")
    assert (accepted["status"], accepted["confined"]) == ("running", False)
    bob.daemon.kill()
    bob.daemon.start()
    state = bob.status(name)
    assert (state["status"], state["decision"]["mode"]) == ("running", "by_hand")
    (run,) = state["runs"]
    assert (run["agent"], run["confinement"], run["cwd"]) == ("by_hand", None, None)
    photo = place / "photo.txt"
    photo.write_text("the cable\n")
    missing = bob.do("complete", name, "--text", "x", "--file", str(place / "none"), code=2)["error"]
    assert missing["code"] == "file_unreadable"
    bob.do("complete", name, "--text", "It was the cable.", "--file", str(photo))
    assert bob.do("complete", name, "--text", "again", code=6)["error"]["code"] == "not_pending"
    result = bob.do("result", name)
    assert (result["outcome"], result["summary"]) == ("success", "It was the cable.")
    (kept,) = result["files"]
    assert Path(kept).read_text() == "the cable\n"
    assert bob.do("verify", result["bundle"])["ok"]
