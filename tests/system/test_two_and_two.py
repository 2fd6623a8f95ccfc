"""Alice and Bob have two machines each. They pair, lose, recover, hand over and revoke, and work goes on beside all of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines import bought, device_of, devices_of, pair, paper, recover
from tests.support.neighbourhood import Neighbourhood, Person, edit
from tests.support.patience import poll

ALICE, BOB = "alice@example.org", "bob@example.org"


@pytest.fixture
def tablet(place: Path) -> Iterator[Person]:
    """Alice's second machine."""
    with bought("tablet", place, ALICE) as person:
        yield person


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """Bob's second machine."""
    with bought("laptop", place, BOB) as person:
        yield person


@pytest.fixture
def fresh(place: Path) -> Iterator[Person]:
    """What Bob buys when one of his is lost."""
    with bought("fresh", place, BOB) as person:
        yield person


class Friends:
    """Everybody's machines, and the work that goes between them."""

    def __init__(self, repository: Path, alices: tuple[Person, Person]) -> None:
        self.repository = repository
        self.alices = alices
        self.lines = ["first line"]

    def work(
        self, sender: Person, runner: Person, bystander: Person | None = None, *, handed: bool = False
    ) -> str:
        """Let one send an edit, and another run it; whoever of the same person has it too, sees it and runs nothing.

        `handed` is one that the bystander was to run, and has handed over.
        """
        old, new = self.lines[-1], f"line {len(self.lines) + 1}"
        steps = sender.home.parent / "steps.json"
        steps.write_text(json.dumps([edit("notes.md", old, new)]))
        task = str(sender.do("send", runner.address, f"Write {new}", "--steps", str(steps))["dispatch_id"])
        for person in (runner, bystander):
            if person is not None:
                person.receives(task)
        if handed and bystander is not None:
            bystander.do("handover", task, device_of(runner)[:12])
        poll(
            lambda: runner.try_("accept", task, cwd=self.repository).code == 0,
            f"{runner.name} may accept it",
        )
        runner.approve_all(task)
        assert sender.until(task, "completed")["outcome"] == "success"
        self.lines.append(new)
        assert new in (self.repository / "notes.md").read_text()
        return task


def knows(person: Person, devices: set[str]) -> None:
    """Wait until a machine's contact has these devices."""
    poll(
        lambda: all(set(edge["devices"]) == devices for edge in person.do("contacts")["edges"]),
        f"{person.name} knows {len(devices)} devices",
    )


def chains(person: Person, *more: str) -> list[object]:
    """Return the chains that a machine holds: its own first, then, with `--contacts`, those of others."""
    file = person.home.parent / "chains.json"
    file.unlink(missing_ok=True)
    person.do("trust", "export", str(file), *more)
    held: list[object] = json.loads(file.read_bytes())["chains"]
    return held


def loses_the_laptop(
    friends: Friends, bob: Person, laptop: Person, fresh: Person, key: Path, url: str
) -> None:
    """Lose what runs everything: what is left is a piece of paper, and Bob's first machine."""
    lost = device_of(laptop)
    laptop.daemon.kill()
    taken = recover(fresh, url, key, "--keep", device_of(bob))
    left = {device_of(bob), str(taken["device"]["id"])}
    for machine in friends.alices:
        knows(machine, left)
    poll(lambda: fresh.do("contacts")["edges"], "the new machine is fed")
    friends.work(friends.alices[0], bob, fresh)
    laptop.daemon.start()
    assert laptop.daemon.process is not None
    assert laptop.daemon.process.wait(30) == 0, "the lost one finds that it is out, and ends"
    assert lost not in devices_of(fresh)


def revokes_the_tablet(friends: Friends, bob: Person, fresh: Person) -> None:
    """Steal Alice's tablet, which the other one revokes: it can ask for nothing any more."""
    alice, tablet = friends.alices
    thief = device_of(tablet)
    late = tablet.do("send", BOB, "As ever")["dispatch_id"]
    bob.receives(late)
    alice.do("devices", "revoke", thief)
    assert tablet.daemon.process is not None
    assert tablet.daemon.process.wait(30) == 0
    for machine in (bob, fresh):
        knows(machine, {device_of(alice)})
        ended = machine.until(late, "refused")
        assert ended["error"]["code"] == "device_revoked", ended
    friends.work(alice, bob, fresh)


def test_two_people_with_two_machines_each_pair_lose_recover_hand_over_and_revoke(
    neighbourhood: Neighbourhood, tablet: Person, laptop: Person, fresh: Person, repository: Path
) -> None:
    alice, bob, url = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker.url
    friends = Friends(repository, (alice, tablet))
    neighbourhood.befriend("--tools", "Read,Edit", "--paths", f"{repository}:rw")
    key = paper(bob)
    friends.work(alice, bob)

    # Both pair: each machine of the one may ask, each of the other holds what was asked, and one of them runs it.
    pair(alice, tablet)
    pair(bob, laptop)
    for machine in (alice, tablet):
        poll(lambda machine=machine: machine.do("contacts")["edges"], f"{machine.name} knows the edge")
        knows(machine, devices_of(bob))
    friends.work(tablet, bob, laptop)

    # Bob lets his laptop run what comes in from now on, and hands one of these back to his first machine.
    laptop.do("devices", "set", device_of(laptop), "--owner")
    poll(lambda: chains(laptop)[0] in chains(tablet, "--contacts"), "Alice has learnt who runs what comes in")
    handed = friends.work(tablet, laptop, bob)
    assert bob.try_("accept", handed, "--json").code != 0, "it ran on the other one"
    friends.work(alice, bob, laptop, handed=True)

    loses_the_laptop(friends, bob, laptop, fresh, key, url)
    revokes_the_tablet(friends, bob, fresh)

    # Bob ends it on the machine that he bought last, and his first one has ended it too.
    fresh.do("revoke", ALICE)
    for machine in (bob, alice):
        poll(
            lambda machine=machine: [e["status"] for e in machine.do("contacts")["edges"]] == ["revoked"],
            f"{machine.name} sees the edge revoked",
        )
    assert alice.try_("send", BOB, "Still there?", "--json").code != 0
