"""One person with two machines, to both of which everything is sent: what one of them does, the other knows and respects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machines import at_home, bought, refused
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit
from tests.support.patience import poll


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """A second machine of Bob's, which is not the owner of what he is sent."""
    with bought("laptop", place, "bob@example.org") as person:
        yield person


def shown(person: Person, dispatch_id: str, word: str, place: str) -> dict[str, Any]:
    """Wait until a machine shows that another one has decided a dispatch; returns its row of the inbox."""

    def row() -> dict[str, Any] | None:
        found = [each for each in person.do("inbox")["dispatches"] if each["dispatch_id"] == dispatch_id]
        there = found and found[0]["elsewhere"]
        return found[0] if there and (there["name"], found[0]["status"]) == (place, word) else None

    return poll(row, f"{person.name} shows {dispatch_id[:8]} {word} on {place}")


def test_what_one_machine_does_the_other_shows_and_does_not_do_again(
    neighbourhood: Neighbourhood, laptop: Person, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    at_home(neighbourhood, laptop, repository)
    task = neighbourhood.send("Change it", [edit("notes.md", "first line", "changed once"), bash("true")])
    laptop.receives(task)
    declined = neighbourhood.send("No")
    laptop.receives(declined)

    bob.do("accept", task, cwd=repository)
    shown(laptop, task, "accepted", "desk")
    assert "accepted on desk" in laptop.try_("inbox").out
    for command in ("accept", "decline", "cancel", "result"):
        assert refused(laptop, command, task)["code"] == "decided_elsewhere"
        assert refused(laptop, command, task)["exit"] == 6
    assert bob.approve_all(task)["outcome"] == "success"
    assert changed(repository) == {"notes.md"}
    assert shown(laptop, task, "completed", "desk")["outcome"] == "success"
    assert "look at it on desk" in laptop.try_("status", task).out
    bob.do("decline", declined)
    shown(laptop, declined, "declined", "desk")

    # What is over elsewhere is not ended once more here: the author hears nothing that contradicts what they know.
    laptop.do("revoke", alice.address)
    poll(lambda: alice.do("contacts")["edges"][0]["status"] == "revoked", "Alice hears of it")
    ended = alice.until(task, "completed")
    assert not [event for event in ended["events"] if event["type"] == "warning"]
    assert {receipt["type"] for receipt in ended["receipts"]} >= {"delivered", "accepted", "result"}
    assert laptop.status(task)["status"] == "completed"


def waits_on(person: Person, dispatch_id: str, place: str) -> None:
    """Wait until a machine shows which one is to run a dispatch."""
    poll(
        lambda: person.status(dispatch_id)["owner"]["name"] == place,
        f"{person.name} knows that {place} runs it",
    )


def test_a_task_is_handed_over_and_runs_once_where_its_files_come_too(
    neighbourhood: Neighbourhood, laptop: Person, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    at_home(neighbourhood, laptop, repository)
    attached = neighbourhood.directory / "input.txt"
    attached.write_text("from Alice")
    task = neighbourhood.send(
        "Change it", [edit("notes.md", "first line", "handed over"), bash("true")], "--file", str(attached)
    )
    laptop.receives(task)
    assert refused(laptop, "accept", task, "--cwd", str(repository))["code"] == "not_owner"
    assert refused(laptop, "handover", task, "desk")["code"] == "not_owner"
    assert bob.do("handover", task, "laptop")["name"] == "laptop"
    ended = refused(bob, "accept", task, "--cwd", str(repository))
    assert (ended["code"], "laptop" in ended["hint"]) == ("not_owner", True)
    # A power cut in the middle loses nothing of it: it was given up in the step in which it was told.
    bob.daemon.kill()
    bob.daemon.start()
    waits_on(laptop, task, "laptop")
    waits_on(bob, task, "laptop")
    assert "waits for you on laptop" in bob.try_("inbox").out
    poll(lambda: not laptop.status(task)["files_arriving"], "its file has come")
    laptop.do("accept", task, "--cwd", str(repository))
    assert laptop.approve_all(task)["outcome"] == "success"
    seen = alice.until(task, "completed")
    assert [each["device"] for each in seen["accepted_on"]] == [laptop.do("whoami")["device"]["id"]]
    assert not [event for event in seen["events"] if event["type"] == "warning"]
    shown(bob, task, "completed", "laptop")
    assert changed(repository) == {"notes.md"}


def test_a_human_accepts_where_the_owner_is_silent_and_two_yeses_are_a_conflict(
    neighbourhood: Neighbourhood, laptop: Person, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    at_home(neighbourhood, laptop, repository)
    task = neighbourhood.send("Look", [bash("true")])
    disputed = neighbourhood.send("Look elsewhere", [bash("true")])
    laptop.receives(task)
    laptop.receives(disputed)
    # The desk is silent: it is switched off, and its person accepts on the laptop, by an explicit word.
    bob.daemon.stop()
    assert "dispatch accept" in laptop.try_("status", task).out
    laptop.do("accept", task, "--here", "--cwd", str(repository))
    laptop.do("accept", disputed, "--here", "--cwd", str(repository))
    for each in (task, disputed):
        assert alice.until(each, "accepted", "running", "waiting_approval")
    # Neither machine hears of the other now, and the desk accepts as well: nobody could know.
    neighbourhood.broker.stop()
    bob.daemon.start()
    bob.do("accept", task, "--cwd", str(repository))
    bob.do("decline", disputed)
    neighbourhood.broker.start()

    for person in (alice, bob, laptop):
        person.until(task, "conflict")
        poll(
            lambda person=person: len(person.status(task)["accepted_on"]) == 2,
            f"{person.name} knows which two have accepted",
        )
        person.until(disputed, "conflict")
        poll(
            lambda person=person: (
                [len(person.status(disputed)[name]) for name in ("accepted_on", "declined_on")] == [1, 1]
            ),
            f"{person.name} knows who said yes and who said no",
        )
        check = next(each for each in person.do("doctor", code=1)["checks"] if each["name"] == "conflicts")
        assert (check["ok"], check["remedy"].split()[:2]) == (False, ["dispatch", "status"])
        assert all(each[:8] in check["detail"] for each in (task, disputed))
    assert "have each accepted it" in bob.try_("status", task).out
    assert "laptop said yes to it, and desk no" in bob.try_("status", disputed).out
    assert "onflict" in alice.try_("sent").out
    assert refused(laptop, "accept", task, "--here")["code"] == "not_pending"
    # Each is ended where its person says so, and the other goes on.
    bob.do("cancel", task)
    assert laptop.approve_all(task)["status"] == "conflict"
    assert laptop.status(task)["runs"][-1]["status"] == "completed"
    assert not changed(repository)
