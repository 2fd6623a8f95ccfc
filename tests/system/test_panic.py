"""A person panics on one of two machines: both kill what runs, refuse everything and fall silent, until each is told."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines import bought, device_of, pair
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit
from tests.support.patience import poll


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """A second machine of Bob's."""
    with bought("laptop", place, "bob@example.org") as person:
        yield person


def stopped(person: Person) -> bool:
    """Say whether a machine says that everything is stopped on it."""
    (check,) = [each for each in person.try_("doctor", "--json").json["checks"] if each["name"] == "pause"]
    return not check["ok"] and check["remedy"] == "dispatch panic --off"


def refused(person: Person, *arguments: str) -> str:
    """Type a command that must fail; returns the code."""
    ended = person.try_(*arguments, "--json")
    assert ended.code != 0, ended.out
    return str(ended.json["error"]["code"])


def test_panic_stops_both_machines_and_each_comes_back_by_itself(
    neighbourhood: Neighbourhood, laptop: Person, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Edit,Bash", "--paths", f"{repository}:rw")
    pair(bob, laptop)
    poll(lambda: laptop.do("contacts")["edges"], "the second machine knows the edge")
    running = neighbourhood.send("Never applied", [edit("notes.md", "first line", "never"), bash("true")])
    bob.do("accept", running, cwd=repository)
    bob.question(running)

    called = laptop.do("panic")
    assert (bool(called["panic_at"]), called["told"], called["untold"]) == (True, 1, 0)
    poll(lambda: stopped(bob), "the other machine has stopped too")
    # What ran there is dead, nothing of it was applied, and its author was told before the line went dead.
    assert alice.until(running, "cancelled")
    assert bob.until(running, "cancelled")
    assert not changed(repository)
    # Nothing gets in: not from a contact, not from this machine, not after a restart.
    late = alice.do("send", bob.address, "Are you there?")["dispatch_id"]
    bob.daemon.stop()
    bob.daemon.start()
    assert stopped(bob)
    assert bob.do("daemon", "status")["broker"]["state"] == "refused"
    assert refused(bob, "send", "me", "anything") == "panicked"
    assert refused(bob, "accept", running) == "panicked"
    assert refused(bob, "pause", "--off") == "panicked"
    assert "panic was called" in bob.try_("daemon", "status").out
    assert late not in {each["dispatch_id"] for each in bob.do("inbox")["dispatches"]}

    # Each comes back by itself, and only where its person says so.
    assert bob.do("panic", "--off")["panic_at"] is None
    bob.receives(late)
    assert stopped(laptop)
    assert not stopped(bob)
    laptop.do("panic", "--off")
    laptop.receives(late)
    assert not stopped(bob)
    bob.do("decline", late)
    alice.until(late, "declined")


def test_a_panic_without_a_session_is_told_when_there_is_one_whatever_happened_in_between(
    neighbourhood: Neighbourhood, laptop: Person
) -> None:
    bob, broker = neighbourhood.bob, neighbourhood.broker
    pair(bob, laptop)
    broker.stop()
    called = bob.do("panic")
    assert (bool(called["panic_at"]), called["told"], called["untold"]) == (True, 0, 1)
    bob.daemon.kill()
    bob.daemon.start()
    assert stopped(bob)
    assert not stopped(laptop)
    broker.start()
    poll(lambda: stopped(laptop), "the other machine has stopped too")
    for machine in (bob, laptop):
        poll(
            lambda machine=machine: machine.do("daemon", "status")["broker"]["state"] == "refused",
            f"{machine.name} has hung up",
        )


def test_in_a_panic_an_edge_can_still_be_ended_and_a_pause_outlives_it(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    invited = bob.do("invite", "carol@example.org", "--link-only")
    bob.do("pause")
    bob.do("panic")
    assert bob.do("decline-invitation", invited["invitation_id"][:8])["status"] == "revoked"
    poll(lambda: "It has been taken back." in _page(invited["link"]), "the page says so, in the panic")
    assert "everything is stopped here" in bob.try_("whoami").out
    assert bob.do("revoke", alice.address)["status"] == "revoked"
    poll(lambda: alice.do("contacts")["edges"][0]["status"] == "revoked", "Alice hears of it, in the panic")
    assert stopped(bob)
    poll(
        lambda: bob.do("daemon", "status")["broker"]["state"] == "refused", "the session for it is over again"
    )
    bob.do("panic", "--off")
    assert "nothing new starts here" in bob.try_("daemon", "status").out, "it was paused before, and is again"


def test_in_a_panic_a_device_is_revoked_at_once_for_everybody_and_hears_of_it_without_a_session(
    neighbourhood: Neighbourhood, laptop: Person, tmp_path: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    pair(bob, laptop)
    bob.do("panic")
    poll(lambda: stopped(laptop), "the other machine has stopped too")
    for machine in (bob, laptop):
        poll(
            lambda machine=machine: machine.do("daemon", "status")["broker"]["state"] == "refused",
            f"{machine.name} has hung up",
        )
    assert laptop.daemon.process is not None
    assert bob.do("devices", "revoke", device_of(laptop)[:16])["status"] == "revoked"
    poll(lambda: len(alice.do("contacts")["edges"][0]["devices"]) == 1, "Alice knows of it")
    assert laptop.daemon.process.wait(60) == 0, "the revoked one has looked at its chain, and ends"
    assert not (laptop.home / "keys.json").exists()
    assert bob.do("trust", "export", str(tmp_path / "bob.json"))["chains"] == 1
    assert stopped(bob)


def test_what_was_ended_in_a_panic_without_a_broker_is_told_in_the_panic_once_there_is_one(
    neighbourhood: Neighbourhood,
) -> None:
    alice, bob, broker = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker
    neighbourhood.befriend("--tools", "Read")
    bob.do("panic")
    broker.stop()
    assert bob.do("revoke", alice.address)["status"] == "revoked"
    bob.daemon.kill()
    bob.daemon.start()
    broker.start()
    poll(lambda: alice.do("contacts")["edges"][0]["status"] == "revoked", "Alice hears of it, in the panic")
    assert stopped(bob)


def _page(link: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(link, timeout=10) as page:
        return str(page.read().decode())
