"""A machine is lost: with the recovery key on an empty one the identity begins anew, and everybody else follows."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispatch_command import Terminal
from tests.support.machines import bought, devices_of, pair, paper, recover
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll


@pytest.fixture
def desk(place: Path) -> Iterator[Person]:
    """The machine that Bob has left when the other one is lost."""
    with bought("desk", place, "bob@example.org") as person:
        yield person


@pytest.fixture
def fresh(place: Path) -> Iterator[Person]:
    """A machine that Bob has bought."""
    with bought("fresh", place, "bob@example.org") as person:
        yield person


def test_a_machine_is_lost_and_the_one_that_survives_goes_on_beside_a_new_one(
    neighbourhood: Neighbourhood, desk: Person, fresh: Person, repository: Path
) -> None:
    alice, lost, url = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker.url
    neighbourhood.befriend("--tools", "Read,Bash", "--paths", f"{repository}:rw")
    key = paper(lost)
    pair(lost, desk)
    poll(lambda: _active(desk), "the second machine knows the edge")
    who, survivor, thief = (
        lost.do("whoami"),
        desk.do("whoami")["device"]["id"],
        lost.do("whoami")["device"]["id"],
    )
    lost.daemon.kill()

    taken = recover(fresh, url, key, "--keep", survivor[:12])
    assert taken["identity"] == who["identity"]
    new = taken["device"]["id"]
    for person in (desk, fresh):
        poll(lambda person=person: devices_of(person) == {survivor, new}, f"{person.name} knows who is left")
    # The one that survives feeds the new one, and both receive what Alice sends, who followed by herself.
    poll(lambda: _active(fresh), "the new machine was told of the edge")
    poll(lambda: _known(alice) == {survivor, new}, "Alice knows his devices")
    task = alice.do("send", lost.address, "Who is there?", "--steps", str(_steps(neighbourhood)))
    for person in (desk, fresh):
        person.receives(task["dispatch_id"])
    desk.do("accept", task["dispatch_id"], cwd=repository)
    desk.approve_all(task["dispatch_id"])
    assert alice.until(task["dispatch_id"], "completed")["outcome"] == "success"
    # From the new one too.
    mine = fresh.do("send", "me", "On the new one", "--steps", str(_steps(neighbourhood)))
    assert mine["dispatch_id"]

    # Whoever has the lost machine is out, and it says so.
    lost.daemon.start()
    assert lost.daemon.process is not None
    assert lost.daemon.process.wait(30) == 0
    assert not (lost.home / "keys.json").exists()
    assert thief not in devices_of(fresh)


def _steps(neighbourhood: Neighbourhood) -> Path:
    path = neighbourhood.directory / "steps.json"
    path.write_text(json.dumps([bash("true")]))
    return path


def _known(person: Person) -> set[str]:
    """Return the devices of the one contact that somebody has."""
    return set(person.do("contacts")["edges"][0]["devices"])


def _active(person: Person) -> list[dict[str, Any]]:
    return [edge for edge in person.do("contacts")["edges"] if edge["status"] == "active"]


def test_every_machine_is_lost_and_everybody_is_met_again(
    neighbourhood: Neighbourhood, fresh: Person
) -> None:
    alice, lost, url = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker.url
    neighbourhood.befriend("--tools", "Read")
    key, identity = paper(lost), lost.do("whoami")["identity"]
    lost.daemon.kill()

    # The key is typed, and does not show; a wrong one finds nobody, and changes nothing.
    wrong = key.parent / "wrong"
    wrong.write_text("dispatch-recovery-" + "A" * 54)
    asked = ("login", "--broker", url, "--email", fresh.address, "--dev", "--recover")
    refused = fresh.try_(*asked, "--recovery-key-file", str(wrong), "--json")
    assert (refused.code, refused.json["error"]["code"]) == (3, "recovery_wrong")
    assert fresh.try_(*asked, "--recovery-key-file", "-", "--json", stdin=b"never a key").code == 3
    typed = key.read_text().strip()
    with Terminal(fresh.home, *asked, DISPATCH_KEY_BACKEND="file") as terminal:
        terminal.expect("not shown")
        terminal.press(f"{typed}\n")
        assert terminal.end() == 0, terminal.plain
        assert "begins anew" in terminal.plain
        assert typed not in terminal.plain
    assert fresh.do("whoami")["identity"] == identity
    assert len(devices_of(fresh)) == 1
    again = fresh.try_(*asked, "--recovery-key-file", str(key), "--json")
    assert again.json["error"]["code"] == "home_in_use"

    # What the lost machine had granted is gone with it; both meet again under the same identity.
    token = alice.do("invite", fresh.address, "--link-only")["token"]
    edge = fresh.do("accept-invitation", token, "--tools", "Read")["edge_id"]
    for person in (alice, fresh):
        poll(
            lambda person=person: edge in {each["edge_id"] for each in _active(person)}, f"{person.name} met"
        )
    task = alice.do("send", fresh.address, "Are you back?")["dispatch_id"]
    fresh.receives(task)
    fresh.do("decline", task)
    alice.until(task, "declined")


def test_two_recoveries_of_one_epoch_stop_everybody_who_sees_both(
    neighbourhood: Neighbourhood, desk: Person, fresh: Person, place: Path
) -> None:
    alice, lost, broker = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker
    neighbourhood.befriend("--tools", "Read")
    key = paper(lost)
    lost.daemon.kill()
    broker.stop()
    shutil.copytree(broker.data, place / "before")
    url = broker.start()

    recover(desk, url, key)
    poll(lambda: _known(alice) == devices_of(desk), "Alice follows the first recovery")
    # The broker is set back to before it, and whoever has the paper as well recovers once more.
    desk.daemon.stop()
    broker.stop()
    shutil.rmtree(broker.data)
    shutil.copytree(place / "before", broker.data)
    broker.start()
    recover(fresh, url, key)

    torn = poll(
        lambda: [edge for edge in alice.do("contacts")["edges"] if edge["conflict"]], "Alice has seen both"
    )
    assert torn[0]["peer"] == lost.address
    assert "Two histories of bob@example.org" in alice.try_("contacts").out
    assert _torn(alice, "bob@example.org")
    refused = alice.try_("send", lost.address, "Which of you?", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (3, "chain_forked")
    # Bob hears of it too, on the machine that the broker does not know.
    desk.daemon.start()
    poll(lambda: _torn(desk, "your own identity"), "the first one says so")


def _torn(person: Person, whose: str) -> bool:
    """Say whether `doctor` calls two histories by name."""
    (check,) = [
        each for each in person.try_("doctor", "--json").json["checks"] if each["name"] == "histories"
    ]
    return not check["ok"] and whose in check["detail"]


def test_whoever_comes_back_and_is_accepted_anew_has_no_more_than_the_new_yes_allows(
    neighbourhood: Neighbourhood, desk: Person, place: Path
) -> None:
    """Alice loses everything. Bob had let her do all of it; what he lets her do now is what she may, on each machine of his."""
    alice, bob, url = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker.url
    old = neighbourhood.befriend("--profile", "full", "--approval", "auto")
    pair(bob, desk)
    poll(lambda: _active(desk), "the second machine knows the edge")
    key = paper(alice)
    alice.daemon.kill()
    with bought("hers", place, alice.address) as hers:
        recover(hers, url, key)
        token = hers.do("invite", bob.address, "--link-only")["token"]
        accepted = bob.do("accept-invitation", token, "--profile", "read-only")
        assert accepted["edges_ended"] == 1
        for person in (bob, desk):
            poll(
                lambda person=person: [edge["edge_id"] for edge in _active(person)] == [accepted["edge_id"]],
                f"{person.name} holds the new edge alone",
            )
        ended = bob.do("revoke", hers.address)
        assert ended["edges"] == [accepted["edge_id"]] != [old]
        for person in (bob, desk, hers):
            poll(lambda person=person: not _active(person), f"{person.name} holds no edge")
        assert hers.try_("send", bob.address, "Anything?", "--json").json["error"]["code"] == "edge_revoked"
