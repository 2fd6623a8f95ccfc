"""Sealing keys over the months: replaced by themselves, refused when too old, the old ones destroyed; clocks are moved."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.machines import pair
from tests.support.moved_clocks import DAY_MS, Shifted
from tests.support.neighbourhood import Person
from tests.support.patience import poll


@pytest.fixture
def laptop(shifted: Shifted) -> Iterator[Person]:
    """A second machine of Bob's."""
    person = shifted.another("laptop")
    person.daemon.start()
    pair(shifted.everybody.bob, person)
    yield person
    person.daemon.stop()


def made(person: Person) -> dict[str, str]:
    """Return when each device's key was made, as a machine knows it."""
    return {each["id"]: each["key_since"] for each in person.do("devices")["devices"]}


def held(person: Person) -> list[str]:
    """Return the sealing keys that a machine holds, newest first."""
    keys: dict[str, Any] = json.loads((person.home / "keys.json").read_text())
    return str(keys["sealing"]).split(" ")


def arrives(shifted: Shifted, words: str) -> None:
    """Let Alice send, and Bob decline."""
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    sent = alice.do("send", bob.address, words)["dispatch_id"]
    bob.receives(sent)
    bob.do("decline", sent)
    alice.until(sent, "declined")


def test_keys_are_replaced_and_the_old_ones_destroyed_while_everything_goes_on(
    shifted: Shifted, laptop: Person
) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    shifted.everybody.befriend("--tools", "Read")
    before, old = made(bob), {each.name: held(each) for each in (bob, laptop)}
    assert [len(keys) for keys in old.values()] == [1, 1]

    # Both of Bob's machines are due in the same moment, and neither undoes the other's link.
    for name in ("alice", "bob", "laptop"):
        shifted.shift(name, 31 * DAY_MS)
    poll(lambda: not before.items() & made(bob).items(), "both of Bob's keys are new")
    poll(lambda: made(laptop) == made(bob), "both machines know both")
    for each in (bob, laptop):
        assert held(each)[1:] == old[each.name], "the old key still opens what is on its way"
    arrives(shifted, "To the new keys")
    (histories,) = [each for each in bob.do("doctor")["checks"] if each["name"] == "histories"]
    assert histories["ok"], histories

    for name in ("alice", "bob", "laptop"):
        shifted.shift(name, 40 * DAY_MS)
    for each in (bob, laptop):
        poll(lambda each=each: len(held(each)) == 1, f"{each.name} has destroyed its old key")
        assert held(each) != old[each.name]
    arrives(shifted, "To the only keys")
    assert len(alice.do("devices")["devices"]) == 1


def test_nothing_is_sealed_to_a_key_of_sixty_days_until_its_device_comes_back(shifted: Shifted) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    shifted.everybody.befriend("--tools", "Read")
    forgotten = alice.do("send", bob.address, "Before I go")["dispatch_id"]
    bob.receives(forgotten)
    alice.daemon.stop()
    shifted.shift("bob", 61 * DAY_MS)
    bob.until(forgotten, "expired")
    poll(lambda: "sealing_key_old" in bob.daemon.log.read_text(), "Bob seals nothing for Alice")
    shifted.shift("alice", 61 * DAY_MS)
    alice.daemon.start()
    poll(
        lambda: "expired" in [each["type"] for each in alice.status(forgotten)["receipts"]],
        "what has waited for Alice is sealed to her new key",
    )

    bob.daemon.stop()
    shifted.shift("alice", 123 * DAY_MS)
    refused = alice.do("send", bob.address, "Are you there?", code=3)
    assert refused["error"]["code"] == "sealing_key_old"
    assert refused["error"]["message"].startswith("the other side's device has not been on for sixty days")

    before = held(bob)
    shifted.shift("bob", 123 * DAY_MS)
    bob.daemon.start()
    poll(lambda: held(bob)[0] != before[0], "Bob's machine has made a new key as soon as it woke")
    poll(
        lambda: alice.try_("send", bob.address, "Are you back?", "--json").code == 0,
        "Alice's machine has heard of it",
    )
    arrives(shifted, "Welcome back")
