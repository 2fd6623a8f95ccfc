"""One person with two machines, to both of which everything is sent: what one of them does, the other knows and respects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machines import bought, pair, refused
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit
from tests.support.patience import poll


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """A second machine of Bob's, which is not the owner of what he is sent."""
    with bought("laptop", place, "bob@example.org") as person:
        yield person


def at_home(neighbourhood: Neighbourhood, laptop: Person, repository: Path) -> None:
    """Let Alice send to Bob, whose two machines know each other by name."""
    bob = neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Edit,Bash", "--paths", f"{repository}:rw")
    pair(bob, laptop)
    bob.do("devices", "rename", bob.do("whoami")["device"]["id"][:8], "desk")
    laptop.do("devices", "rename", laptop.do("whoami")["device"]["id"][:8], "laptop")
    poll(lambda: laptop.do("contacts")["edges"], "the second machine knows the edge")


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
    assert "look at it on desk" in laptop.try_("status", task).out
    for command in ("accept", "decline", "cancel", "result"):
        assert refused(laptop, command, task)["code"] == "decided_elsewhere"
        assert refused(laptop, command, task)["exit"] == 6
    assert bob.approve_all(task)["outcome"] == "success"
    assert changed(repository) == {"notes.md"}
    assert shown(laptop, task, "completed", "desk")["outcome"] == "success"
    bob.do("decline", declined)
    shown(laptop, declined, "declined", "desk")

    # What is over elsewhere is not ended once more here: the author hears nothing that contradicts what they know.
    laptop.do("revoke", alice.address)
    poll(lambda: alice.do("contacts")["edges"][0]["status"] == "revoked", "Alice hears of it")
    ended = alice.until(task, "completed")
    assert not [event for event in ended["events"] if event["type"] == "warning"]
    assert {receipt["type"] for receipt in ended["receipts"]} >= {"delivered", "accepted", "result"}
    assert laptop.status(task)["status"] == "completed"
