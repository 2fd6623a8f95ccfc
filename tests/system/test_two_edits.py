"""One person edits an edge on two machines while neither hears of the other: nobody gets more than both have granted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines import bought, pair
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """A second machine of Bob's."""
    with bought("laptop", place, "bob@example.org") as person:
        yield person


def tools(person: Person) -> list[str]:
    """Return the tools of the one edge that somebody has, as that machine holds it."""
    (edge,) = person.do("contacts")["edges"]
    return [edge["status"], *sorted(edge["scopes"]["tools"])]


def told(person: Person, peer: str) -> None:
    """Find that a machine tells what was said where, what holds, and how to say it once, and that a look settles nothing."""
    (edge,) = person.do("contacts")["edges"]
    assert {tuple(sorted(made["scopes"]["tools"])) for made in edge["edits"]} == {
        ("Bash", "Glob", "Grep", "Read"),
        ("Glob", "Read"),
    }
    looked = person.do("edit-edge", peer)
    assert (len(looked["edits"]), sorted(looked["scopes"]["tools"])) == (2, ["Glob", "Read"])
    for shown in (person.try_("contacts").out, person.try_("edit-edge", peer).out):
        assert "Two devices of yours changed this at the same time" in shown
        assert f"dispatch edit-edge {peer} --tools TOOLS" in shown
    (check,) = [each for each in person.do("doctor", code=1)["checks"] if each["name"] == "edits"]
    assert (check["ok"], check["remedy"]) == (False, f"dispatch edit-edge {peer}")


def test_two_edits_at_once_bind_both_and_one_that_follows_settles_them(
    neighbourhood: Neighbourhood, laptop: Person, repository: Path
) -> None:
    alice, bob, broker = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker
    neighbourhood.befriend("--tools", "Read,Bash", "--paths", f"{repository}:rw")
    pair(bob, laptop)
    poll(lambda: laptop.do("contacts")["edges"], "the second machine knows the edge")

    task = neighbourhood.send("Wait there", [bash("true"), bash("true")])
    bob.do("accept", task, cwd=repository)
    bob.question(task)
    broker.stop()
    # The one narrows, the other widens, in the same moment as far as anybody can tell.
    bob.do("edit-edge", alice.address, "--tools", "Read,Bash,Glob,Grep")
    laptop.do("edit-edge", alice.address, "--tools", "Read,Glob")
    assert bob.status(task)["status"] == "waiting_approval"
    broker.start()
    for person in (bob, laptop, alice):
        poll(lambda person=person: tools(person) == ["active", "Glob", "Read"], f"{person.name} holds both")
    # What runs on the one may do more than the other has left: it ends, as if it had been narrowed there.
    ended = bob.until(task, "cancelled")
    assert ended["runs"][-1]["status"] == "cancelled"
    alice.until(task, "cancelled")

    for person in (bob, laptop):
        told(person, alice.address)
    assert alice.do("contacts")["edges"][0]["edits"] is None

    laptop.do("edit-edge", alice.address, "--tools", "Read,Bash,Grep")
    for person in (laptop, bob, alice):
        poll(
            lambda person=person: tools(person) == ["active", "Bash", "Grep", "Read"], f"{person.name} heard"
        )
    assert bob.do("contacts")["edges"][0]["edits"] is None
    # A revocation wins over an edit that was made beside it.
    broker.stop()
    bob.do("revoke", alice.address)
    laptop.do("edit-edge", alice.address, "--tools", "Read,Write")
    broker.start()
    for person in (bob, laptop, alice):
        poll(lambda person=person: tools(person)[0] == "revoked", f"{person.name} knows the end")
