"""What a run has changed is taken back: shown first, exactly so or not at all, also through a crash, and once."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit
from tests.support.patience import poll

SCOPES = ("--tools", "Read,Edit,Write,Bash")
STEPS = [
    edit("notes.md", "first line", "second line"),
    bash("rm src/app.py; mkdir -p new/in; echo 1 > new/in/1; ln -s new link; chmod 600 notes.md"),
]


def done(neighbourhood: Neighbourhood, repository: Path) -> str:
    """Let Bob run a task that changes files of his; returns its id."""
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw", "--approval", "review")
    name = neighbourhood.send("Change the notes", STEPS)
    neighbourhood.bob.do("accept", name)
    assert neighbourhood.bob.approve_all(name)["outcome"] == "success"
    assert changed(repository) == {"notes.md", "src/app.py", "new/", "link"}
    return name


def own(person: Person, repository: Path) -> str:
    """Let a person run the same as a task of their own, with no broker; returns its id."""
    steps = person.home.parent / "steps.json"
    steps.write_text(json.dumps(STEPS))
    name: str = person.do("send", "me", "Change the notes", "--steps", str(steps))["dispatch_id"]
    person.do("accept", name, "--cwd", str(repository))
    assert person.approve_all(name)["outcome"] == "success"
    assert changed(repository) == {"notes.md", "src/app.py", "new/", "link"}
    return name


@pytest.fixture
def bob(place: Path) -> Iterator[Person]:
    """Bob alone, whose daemon dies where a test says."""
    person = Person("bob", place, module="tests.support.dying_daemon")
    person.daemon.start()
    try:
        yield person
    finally:
        person.daemon.stop()


def shown(person: Person, name: str) -> dict[str, Any]:
    """Return what an undo would do; without a terminal and a digest it does nothing."""
    preview: dict[str, Any] = person.do("undo", name, code=8)
    return preview


def undo(person: Person, name: str, code: int = 0) -> dict[str, Any]:
    digest = shown(person, name)["digest"]
    answer: dict[str, Any] = person.do("undo", name, "--as-shown", digest[:16], code=code)
    return answer


def test_changes_are_taken_back_whole_and_only_here(neighbourhood: Neighbourhood, repository: Path) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    mode = (repository / "notes.md").stat().st_mode
    name = done(neighbourhood, repository)
    before = bob.status(name)
    assert before["runs"][-1]["undo_until"] is not None
    check = next(each for each in bob.do("doctor")["checks"] if each["name"] == "undo")
    assert check["detail"].startswith("the changes of 1 run can be undone")

    preview = shown(bob, name)
    told = {(each["op"], os.path.relpath(each["path"], repository)) for each in preview["changeset"]}
    assert told == {
        ("modify", "notes.md"),
        ("create", "src/app.py"),
        ("delete", "link"),
        ("delete", "new"),
        ("delete", "new/in"),
        ("delete", "new/in/1"),
    }
    assert "-second line\n+first line\n" in "".join(diff["text"] for diff in preview["diffs"])
    assert changed(repository) == {"notes.md", "src/app.py", "new/", "link"}
    answer = bob.do("undo", name, "--as-shown", preview["digest"][:16])
    assert answer["status"] == "completed"
    assert changed(repository) == set()
    assert (repository / "notes.md").stat().st_mode == mode

    state = bob.status(name)
    assert state["runs"][-1]["undone_at"] == answer["undone_at"]
    assert [each["type"] for each in state["events"]][-1] == "undone"
    assert bob.do("result", name)["undone_at"] == answer["undone_at"]
    assert "Its changes were undone" in bob.try_("status", name).out
    assert bob.do("undo", name, code=6)["error"]["code"] == "not_pending"
    poll(
        lambda: not (bob.home / "runs" / state["runs"][-1]["run_id"] / "apply/originals").exists(),
        "what was kept for the undo is given back",
    )
    # Her result says what was applied when it was; what Bob does with his files afterwards is his.
    told_alice = alice.status(name)
    assert (told_alice["status"], told_alice["runs"][-1]["undone_at"]) == ("completed", None)
    assert "undone" not in json.dumps(told_alice["events"])
    assert alice.do("verify", alice.do("result", name)["bundle"])["ok"]
    assert alice.do("undo", name, code=3)["error"]["code"] == "wrong_party"


def test_where_somebody_was_since_nothing_is_undone(bob: Person, repository: Path) -> None:
    name = own(bob, repository)
    digest = shown(bob, name)["digest"]
    assert bob.do("undo", name, "--as-shown", "00" * 32, code=3)["error"]["code"] == "changeset_changed"
    (repository / "notes.md").write_text("mine\n")
    refused = bob.do("undo", name, "--as-shown", digest, code=3)["error"]
    assert (refused["code"], refused["candidates"]) == ("changed_meanwhile", [str(repository / "notes.md")])
    assert (repository / "notes.md").read_text() == "mine\n"
    assert not (repository / "src/app.py").exists()
    assert bob.do("undo", "ffffffff", code=6)["error"]["code"] == "not_found"
    (repository / "notes.md").write_text("# Notes\n\nsecond line\n")
    undo(bob, name)
    assert changed(repository) == set()


@pytest.mark.parametrize("place_of_death", ["undoing", "renaming", "undone"])
def test_an_undo_that_was_agreed_to_outlives_its_daemon(
    bob: Person, repository: Path, place_of_death: str
) -> None:
    name = own(bob, repository)
    digest = shown(bob, name)["digest"]
    bob.daemon.stop()
    bob.daemon.environ = {"DISPATCH_TEST_DIES_AT": place_of_death}
    bob.daemon.start()
    bob.try_("undo", name, "--as-shown", digest, "--no-start")
    assert bob.daemon.process is not None
    assert bob.daemon.process.wait() != 0
    bob.daemon.kill()
    bob.daemon.environ = {}
    bob.daemon.start()
    state = poll(
        lambda: each if (each := bob.status(name))["runs"][-1]["undone_at"] else None, "it is undone"
    )
    assert changed(repository) == set()
    assert [each["type"] for each in state["events"]].count("undone") == 1
    left = [path.name for path in repository.rglob("*")]
    assert not any(".dispatch-apply" in name for name in left)
