"""A device of one's own that is not heard of for a week: nothing of others runs by itself until it is, and it says why."""

import json
from pathlib import Path
from typing import Any

from tests.support.machines import device_of, pair
from tests.support.moved_clocks import DAY_MS, HOUR_MS, Shifted
from tests.support.neighbourhood import Person, bash
from tests.support.patience import poll


def silence(person: Person) -> str | None:
    """Return what the doctor says of devices that are silent, or None."""
    checks = json.loads(person.try_("doctor", "--json").out)["checks"]
    (check,) = [each for each in checks if each["name"] == "devices"]
    return None if check["ok"] else str(check["detail"])


def asked_because(person: Person, dispatch_id: str) -> Any:
    return person.status(dispatch_id)["decision"]["asks_because"]


def test_auto_asks_while_another_device_is_silent_for_a_week(shifted: Shifted, repository: Path) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    laptop = shifted.another("laptop")
    laptop.daemon.start()
    try:
        pair(bob, laptop)
        bob.do("devices", "rename", device_of(laptop)[:8], "laptop")
        shifted.everybody.befriend("--tools", "Bash", "--approval", "auto", "--paths", f"{repository}:rw")
        # Both are on, and have nothing to say to each other: that they are there is enough.
        for name in ("alice", "bob", "laptop"):
            shifted.shift(name, 8 * DAY_MS)
        poll(lambda: silence(bob) is None and silence(laptop) is None, "each has heard the other")
        first = shifted.everybody.send("Alone", [bash("true")])
        bob.do("accept", first)
        assert bob.until(first, "completed")["decision"]["mode"] == "auto"
        assert asked_because(bob, first) is None

        laptop.daemon.stop()
        for name in ("alice", "bob"):
            shifted.shift(name, 16 * DAY_MS)
        assert "laptop (since" in str(poll(lambda: silence(bob), "Bob's machine misses the laptop"))
        second = shifted.everybody.send("With questions", [bash("true")])
        accepted = bob.do("accept", second)
        assert "laptop" in accepted["asks_because"]
        bob.question(second)
        assert asked_because(bob, second) == accepted["asks_because"]
        assert "laptop (since" in bob.try_("status", second).out
        assert bob.approve_all(second)["decision"]["mode"] == "manual"
        told = alice.until(second, "completed")
        assert told["decision"]["asks_because"] is None, "why is Bob's own affair"

        shifted.shift("laptop", 16 * DAY_MS)
        laptop.daemon.start()
        shifted.shift("laptop", 16 * DAY_MS + HOUR_MS)
        poll(lambda: silence(bob) is None, "the laptop is back")
    finally:
        laptop.daemon.stop()
    third = shifted.everybody.send("Alone again", [bash("true")])
    bob.do("accept", third)
    assert bob.until(third, "completed")["decision"]["mode"] == "auto"
