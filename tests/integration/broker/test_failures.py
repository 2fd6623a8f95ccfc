"""When the broker's own disk or code fails: it says so, nothing is half done, and nobody sees its insides."""

import logging

import aiohttp
import pytest

from dispatch_protocol.frames import Deposit
from tests.support.device import Device, RelayRefusalError, befriend
from tests.support.relay import broker_here

PAGES = 1_000_000


class Disk:
    """The broker's disk, which can be full."""

    def __init__(self, broker):
        self._connection = broker._context.store._commits.writer

    def fill(self):
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        self._connection.execute(f"PRAGMA max_page_count = {pages - free}")

    def free(self):
        self._connection.execute(f"PRAGMA max_page_count = {PAGES}")


@pytest.fixture
async def broker(tmp_path):
    async with broker_here(tmp_path / "broker") as broker:
        yield broker


async def test_a_full_disk_refuses_deposits_and_takes_them_again_when_it_can(broker, alice, bob, caplog):
    disk = Disk(broker)
    async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
        edge = await befriend(a, b)
        disk.fill()
        with pytest.raises(RelayRefusalError, match="503 unavailable"):
            await a.deposit(alice.envelope(bob, edge, size=500_000))
        disk.free()
        await a.deposit(envelope := alice.envelope(bob, edge))
        assert (await b.delivery()).envelope == envelope
        await b.call("edges")
        assert b.deliveries.empty()
    assert "store_failed" in caplog.text


async def one_after_the_other(devices, url):
    for device in devices:
        async with device.signed_in(url):
            pass


async def test_a_full_disk_opens_no_account(broker):
    disk = Disk(broker)
    newcomers = [Device(f"newcomer-{number}") for number in range(60)]
    disk.fill()
    with pytest.raises(RelayRefusalError, match="503 unavailable"):
        await one_after_the_other(newcomers, broker.url)
    disk.free()
    async with newcomers[-1].signed_in(broker.url) as wire:
        assert (await wire.call("edges"))["edges"] == []


async def test_a_failure_of_our_own_shows_an_incident_and_nothing_else(broker, alice, bob, caplog):
    async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
        edge = await befriend(a, b)
        broker._context.store._commits.writer.executescript(
            "PRAGMA foreign_keys = OFF; DROP TABLE edges; DROP TABLE invitations"
        )
        await a.send_raw(Deposit(99, alice.envelope(bob, edge)))
        assert await a.end() is None
        assert a.socket.close_code == 1011
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{broker.url}/i/{edge.uuid}") as response,
        ):
            body = await response.json(content_type="application/problem+json")
    assert (response.status, body["code"]) == (500, "internal")
    assert "sqlite" not in str(body).lower()
    (record,) = [one for one in caplog.records if one.message == "internal"]
    assert record.levelno == logging.ERROR
    assert record.fields["incident"] in body["detail"]


async def test_a_mailbox_that_cannot_be_read_ends_the_session_and_keeps_what_waits(broker, alice, bob):
    connection = broker._context.store._commits.writer
    async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
        edge = await befriend(a, b)
        connection.execute("ALTER TABLE mailboxes RENAME COLUMN seq TO place")
        for member in broker._context.bus.members():
            member.wake()
        assert await b.end() is None
        assert b.socket.close_code == 1013
    connection.execute("ALTER TABLE mailboxes RENAME COLUMN place TO seq")
    async with alice.connected(broker.url) as a, bob.connected(broker.url) as b:
        await a.deposit(envelope := alice.envelope(bob, edge))
        assert (await b.delivery()).envelope == envelope
