"""A relay loses what one machine of Bob's has told the other: that an edge is revoked. Two days later both know it."""

import sqlite3
from contextlib import closing
from typing import Any

from tests.support.machines import device_of, pair
from tests.support.moved_clocks import DAY_MS, Shifted
from tests.support.neighbourhood import Broker, Person
from tests.support.patience import poll

_WAITING = "FROM mailboxes WHERE device_no = (SELECT device_no FROM devices WHERE device = ?)"


def edge_at(person: Person) -> Any:
    (edge,) = person.do("contacts")["edges"]
    return edge["status"]


def loses(broker: Broker, device: bytes) -> None:
    """Let the relay lose what waits for a machine, once anything does."""

    def waits() -> bool:
        with closing(sqlite3.connect(f"file:{broker.data / 'broker.db'}?mode=ro", uri=True)) as store:
            return bool(store.execute(f"SELECT 1 {_WAITING}", (device,)).fetchall())

    poll(waits, "the relay has taken it")
    broker.kill()
    with closing(sqlite3.connect(broker.data / "broker.db")) as store:
        store.execute(f"DELETE {_WAITING}", (device,))
        store.commit()
    broker.start()


def test_revocation_that_the_relay_has_lost_is_told_again(shifted: Shifted) -> None:
    bob, broker = shifted.everybody.bob, shifted.everybody.broker
    laptop = shifted.another("laptop")
    laptop.daemon.start()
    try:
        pair(bob, laptop)
        shifted.everybody.befriend("--tools", "Read")
        poll(lambda: edge_at(laptop) == "active", "the laptop knows the edge")
        device = bytes.fromhex(device_of(laptop))
        laptop.daemon.stop()
        bob.do("revoke", shifted.everybody.alice.address)
        loses(broker, device)
        laptop.daemon.start()
        assert edge_at(laptop) == "active", "the relay has lost it"
        for name in ("alice", "bob", "laptop"):
            shifted.shift(name, 2 * DAY_MS)
        poll(lambda: edge_at(laptop) == "revoked", "the laptop is told again")
    finally:
        laptop.daemon.stop()
