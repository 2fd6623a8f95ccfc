"""Envelopes reach their device: once they are durable, in order, again until acknowledged, and past slow readers."""

import asyncio

import pytest

from dispatch_broker.core.quota import Quotas, Usage
from dispatch_protocol.envelope import EnvelopeClass
from dispatch_protocol.keys import Digest
from tests.support.device import Device, RelayRefusalError, befriend
from tests.support.relay import broker_here


async def test_an_envelope_reaches_its_device_byte_for_byte(url, alice, bob):
    async with alice.signed_in(url) as a, bob.signed_in(url) as b:
        envelope = alice.envelope(bob, await befriend(a, b), size=5_000, content=b"sealed bytes")
        await a.deposit(envelope)
        assert (await b.delivery()).envelope == envelope


async def test_an_envelope_waits_for_a_device_that_is_away(url, alice, bob):
    async with alice.signed_in(url) as a:
        async with bob.signed_in(url) as b:
            edge = await befriend(a, b)
        envelope = alice.envelope(bob, edge)
        await a.deposit(envelope)
        async with bob.connected(url) as b:
            assert (await b.delivery()).envelope == envelope


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(url, alice, bob):
    async with alice.signed_in(url) as a:
        async with bob.signed_in(url) as b:
            edge = await befriend(a, b)
            await a.deposit_all([alice.envelope(bob, edge) for _ in range(3)])
            first, second, third = [await b.delivery() for _ in range(3)]
            await b.ack(second.seq)
            await b.call("edges")  # answered after the acknowledgement was handled
            await b.vanish()
        async with bob.connected(url) as b:
            again = [await b.delivery() for _ in range(2)]
            assert [one.envelope for one in again] == [first.envelope, third.envelope]
            await b.ack(*[one.seq for one in again])
            await b.call("edges")
        async with bob.connected(url) as b:
            await a.deposit(last := alice.envelope(bob, edge))
            assert (await b.delivery()).envelope == last


async def test_a_mailbox_is_emptied_in_the_order_in_which_it_was_filled(url, alice, bob):
    async with alice.signed_in(url) as a:
        async with bob.signed_in(url) as b:
            edge = await befriend(a, b)
        sent = [alice.envelope(bob, edge, size=1024 * (1 + number % 7)) for number in range(700)]
        await a.deposit_all(sent)
        async with bob.connected(url) as b:
            seqs = []
            for envelope in sent:
                delivery = await b.delivery()
                assert delivery.envelope == envelope
                seqs.append(delivery.seq)
                await b.ack(delivery.seq)
            assert seqs == sorted(set(seqs))


async def test_a_repeated_deposit_is_confirmed_again_and_stored_once(url, alice, bob):
    async with alice.signed_in(url) as a, bob.signed_in(url) as b:
        edge = await befriend(a, b)
        envelope = alice.envelope(bob, edge)
        await a.deposit(envelope)
        await a.deposit(envelope)
        await a.deposit_all([envelope, envelope])
        assert (await b.delivery()).envelope == envelope
        marker = alice.envelope(bob, edge)
        await a.deposit(marker)
        assert (await b.delivery()).envelope == marker


async def test_a_deposit_that_was_acknowledged_may_be_sent_again_for_its_receipt(url, alice, bob):
    async with alice.signed_in(url) as a, bob.signed_in(url) as b:
        envelope = alice.envelope(bob, await befriend(a, b))
        await a.deposit(envelope)
        first = await b.delivery()
        await b.ack(first.seq)
        await b.call("edges")
        await a.deposit(envelope)
        second = await b.delivery()
        assert second.envelope == envelope
        assert second.seq > first.seq


async def test_nobody_squats_on_a_digest(url, alice, bob, carol):
    async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url) as c:
        from_alice, from_carol = await befriend(a, b), await befriend(c, b)
        digest = Digest(b"d" * 32)
        await c.deposit(carol.envelope(bob, from_carol, digest=digest))
        with pytest.raises(RelayRefusalError, match="409 id_collision"):
            await a.deposit(alice.envelope(bob, from_alice, digest=digest))


async def test_a_reader_that_never_acknowledges_gets_one_window_and_costs_nobody_else(
    tmp_path, alice, bob, carol
):
    quotas = Quotas(in_flight=Usage(10, 4 * 1024 * 1024))
    async with broker_here(tmp_path / "broker", quotas=quotas) as broker:
        url = broker.url
        async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url) as c:
            to_bob, to_carol = await befriend(a, b), await befriend(a, c)
            await a.deposit_all([alice.envelope(bob, to_bob) for _ in range(30)])
            for _ in range(10):
                held = await b.delivery()
            await a.deposit(for_carol := alice.envelope(carol, to_carol))
            assert (await c.delivery()).envelope == for_carol
            await b.call("edges")
            assert b.deliveries.empty()
            await b.ack(held.seq)
            await b.delivery()
            await b.call("edges")
            assert b.deliveries.empty()


async def test_a_device_that_stops_reading_costs_nobody_else(tmp_path, alice, bob, carol):
    quotas = Quotas(in_flight=Usage(10_000, 1 << 30))
    async with broker_here(tmp_path / "broker", quotas=quotas) as broker:
        url = broker.url
        async with alice.signed_in(url) as a, carol.signed_in(url) as c:
            async with bob.signed_in(url) as b:
                to_bob, to_carol = await befriend(a, b), await befriend(a, c)
            async with bob.connected(url) as b:
                b.socket.transport.pause_reading()
                for _ in range(20):
                    await a.deposit(alice.envelope(bob, to_bob, size=1_000_000))
                await a.deposit(for_carol := alice.envelope(carol, to_carol))
                assert (await c.delivery()).envelope == for_carol
                await b.vanish()
            async with bob.connected(url) as b:
                for _ in range(20):
                    await b.ack((await b.delivery()).seq)


async def test_answers_come_back_to_the_author(url, alice, bob):
    async with alice.signed_in(url) as a, bob.signed_in(url) as b:
        edge = await befriend(a, b)
        await b.deposit(answer := bob.envelope(alice, edge, klass=EnvelopeClass.ANSWER))
        assert (await a.delivery()).envelope == answer


async def test_many_senders_at_once_lose_nothing(url, bob):
    senders = [Device(f"sender-{number}") for number in range(6)]
    async with bob.signed_in(url) as b:
        sent: set[bytes] = set()

        async def send(device):
            async with device.signed_in(url) as wire:
                edge = await befriend(wire, b)
                envelopes = [device.envelope(bob, edge) for _ in range(40)]
                sent.update(envelopes)
                for start in range(0, 40, 8):
                    await wire.deposit_all(envelopes[start : start + 8])

        await asyncio.gather(*(send(device) for device in senders))
        came = set()
        while len(came) < len(sent):
            delivery = await b.delivery()
            came.add(delivery.envelope)
            await b.ack(delivery.seq)
        assert came == sent
