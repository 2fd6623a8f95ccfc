"""What a person may say to a run of their own machine, through every face at once, with the real programs."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_session import agent_session
from tests.support.dispatch_command import environment
from tests.support.moved_clocks import Shifted
from tests.support.neighbourhood import Person, bash, changed, edit
from tests.support.patience import eventually, poll

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


async def test_of_many_answers_at_once_one_is_applied_and_all_are_told_which(
    bob: Person, repository: Path
) -> None:
    """Command lines, a page and the session of an agent stand at the door together before it opens to any of them."""
    name = job(bob, repository, bash("true"))
    request = bob.question(name)["request_id"]
    answers = [("approve", request, "--grant", "session"), ("deny", request, "--reason", "no")] * 4
    async with agent_session(bob) as session:
        with held(bob):
            relaying = asyncio.create_task(
                session.call("act", action="approve", dispatch_id=name, request_id=request, grant="always")
            )
            typed = [type_beside(bob, *answer) for answer in answers]
            page = Page(bob)
            await eventually(lambda: standing_at(bob.home / "daemon.sock") == len(typed) + 1)
        told = [page.approve(request)]
        relayed = await relaying
    told += [(json.loads(each.communicate()[0]), each.returncode) for each in typed]
    applied = [answer for answer, code in told if code == 0]
    lost = [answer["error"]["applied"] for answer, code in told if code == 6]
    assert len(applied) + len(lost) == len(told)
    assert len(applied) + ("late" not in relayed) == 1, "one of them all was applied"
    names = ("request_id", "status", "grant", "decided_by", "decided_at")
    (holds,) = {tuple(each[key] for key in names) for each in [*applied, *lost]}
    (event,) = [each for each in bob.status(name)["events"] if each["type"] == "approval_decided"]
    assert holds[:4] == (request, *(event["data"][key] for key in ("decision", "grant", "decided_by")))
    assert ("late" in relayed) is (event["data"]["decided_by"] != "mcp")


@contextmanager
def held(person: Person) -> Iterator[None]:
    """Keep somebody's daemon from doing anything, so that whoever comes to its door has to wait."""
    assert person.daemon.process is not None
    person.daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        person.daemon.process.send_signal(signal.SIGCONT)


def standing_at(socket: Path) -> int:
    """Return how many have connected to a socket and were not taken in yet: the kernel gives these no inode."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return len([line for line in lines if line[-1] == str(socket) and line[6] == "0"])


def type_beside(person: Person, *words: str) -> "subprocess.Popen[bytes]":
    """Type a command and do not wait for its end."""
    return subprocess.Popen(
        [sys.executable, "-m", "dispatch_cli", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(person.home, DISPATCH_KEY_BACKEND="file"),
    )


class Page:
    """What a page does at the TCP door: it asks what is open, and then gives its yes."""

    def __init__(self, person: Person) -> None:
        token = (person.home / "local.token").read_text()
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = HTTPConnection(person.daemon.url.removeprefix("http://"), timeout=60)
        self._connection.request("GET", "/v1/approvals", headers=self._headers)

    def approve(self, request: str) -> tuple[dict[str, Any], int]:
        """Return what was answered, and how a command line would have ended with it."""
        assert request in self._connection.getresponse().read().decode()
        body = json.dumps({"decision": "approve", "by": "page"})
        self._connection.request("POST", f"/v1/approvals/{request}", body, self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        self._connection.close()
        return (answer, 0) if response.status == 200 else ({"error": answer}, 6)


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
