"""Two machines of one person change their devices while they do not hear each other: it stays one history."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machines import bought, device_of, pair
from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll


@pytest.fixture
def laptop(neighbourhood: Neighbourhood, place: Path) -> Iterator[Person]:
    """A second machine of Bob's."""
    with bought("laptop", place, neighbourhood.bob.address) as person:
        pair(neighbourhood.bob, person)
        yield person


def roles(person: Person) -> dict[str, Any]:
    """Return what each device may do, as a machine knows it."""
    return {each["id"]: (each["roles"], each["owner"]) for each in person.do("devices")["devices"]}


def test_what_one_machine_said_offline_goes_behind_what_the_other_told_the_broker(
    neighbourhood: Neighbourhood, laptop: Person
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    ours, theirs = device_of(bob), device_of(laptop)
    neighbourhood.broker.stop()
    bob.do("devices", "set", theirs[:8], "--roles", "approver")
    bob.daemon.stop()
    neighbourhood.broker.start()
    poll(lambda: laptop.do("daemon", "status")["broker"]["state"] == "online", "the laptop is back")
    laptop.do("devices", "set", ours[:8], "--owner")

    bob.daemon.start()
    expected = {ours: (["approver", "runner"], True), theirs: (["approver"], False)}
    for machine in (bob, laptop):
        poll(lambda machine=machine: roles(machine) == expected, f"{machine.name} knows both changes")
    assert bob.do("daemon", "status")["broker"]["state"] == "online"
    sent = alice.do("send", bob.address, "To one history")["dispatch_id"]
    bob.receives(sent)
    bob.do("decline", sent)
    alice.until(sent, "declined")
    assert [each["conflict"] for each in alice.do("contacts")["edges"]] == [False]
