"""The call `links`: what a device says that its own chain has become, taken, known already, or refused for a reason."""

from typing import Any

import pytest

from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.keys import SealingKey
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    RecoverLink,
    RotateSealingLink,
    sign_link,
)
from dispatch_protocol.signing import Document
from tests.support.device import Device, RelayRefusalError, befriend, now_ms


def refused(pattern: str):
    return pytest.raises(RelayRefusalError, match=pattern)


def place(chain: Chain) -> dict[str, Any]:
    return {"prev": chain.head, "created_ms": now_ms(), "nonce": bytes(16)}


def rotated(device: Device, chain: Chain, word: str = "new") -> Chain:
    """Return a chain in which a device has replaced its sealing key."""
    sealing = SealingKey(word.encode().ljust(32)).public
    link = RotateSealingLink(device=device.id, sealing=sealing, **place(chain))
    return chain.extend([sign_link(link, [device.signing])])


def with_device(device: Device, chain: Chain, new: Device) -> Chain:
    link = AddDeviceLink(device=new.id, sealing=new.sealing.public, roles=ALL_ROLES, **place(chain))
    return chain.extend([sign_link(link, [device.signing, new.signing])])


async def held(wire, device: Device) -> tuple[Document, ...]:
    """Return the chain as the broker tells it."""
    return read_links((await wire.call("chain", genesis=device.genesis.hex))["links"])


async def test_a_chain_that_has_grown_is_kept_and_told_on(url, alice, bob, carol):
    async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url) as c:
        await befriend(a, b)
        grown = rotated(alice, alice.chain)
        assert await a.call("links", links=write_links(grown.links)) == {"head": grown.head.hex}
        assert (await b.notice("chain")).data == {"genesis": alice.genesis.hex}
        assert await held(c, alice) == grown.links
        await c.call("edges")
        assert c.notices.empty(), "a stranger hears nothing by itself"


async def test_what_is_known_and_what_is_shorter_changes_nothing(url, alice, bob):
    async with alice.signed_in(url) as a, bob.signed_in(url) as b:
        await befriend(a, b)
        grown = rotated(alice, alice.chain)
        await a.call("links", links=write_links(grown.links))
        await b.notice("chain")
        for told in (grown, alice.chain):
            assert await a.call("links", links=write_links(told.links)) == {"head": grown.head.hex}
        await b.call("edges")
        assert b.notices.empty()
        assert await held(b, alice) == grown.links


async def test_of_two_devices_that_add_to_one_head_the_first_is_taken(url, alice):
    """The other one asks what the chain is, and states its link anew behind that."""
    phone = Device("alice's phone")
    both = with_device(alice, alice.chain, phone)
    alice.chain = phone.chain = both
    async with alice.signed_in(url) as laptop, phone.connected(url) as other:
        first, second = rotated(alice, both, "laptop's"), rotated(phone, both, "phone's")
        await laptop.call("links", links=write_links(first.links))
        with refused("signature_invalid: .*chain_forked"):
            await other.call("links", links=write_links(second.links))
        assert await held(other, alice) == first.links
        again = rotated(phone, first, "phone's")
        assert await other.call("links", links=write_links(again.links)) == {"head": again.head.hex}


async def test_only_the_recovery_key_takes_a_link_back(url, alice):
    async with alice.signed_in(url) as wire:
        grown = rotated(alice, alice.chain)
        await wire.call("links", links=write_links(grown.links))
        link = RecoverLink(epoch=1, survivors=frozenset({alice.id}), device=None, **place(alice.chain))
        recovered = alice.chain.extend([sign_link(link, [alice.recovery])])
        assert await wire.call("links", links=write_links(recovered.links)) == {"head": recovered.head.hex}
        assert await held(wire, alice) == recovered.links


async def test_links_that_do_not_hold_are_refused_and_nothing_is_kept(url, alice, bob):
    grown = rotated(alice, alice.chain)
    forged = Document(grown.links[-1].payload_type, grown.links[-1].body, bob.chain.links[0].signatures)
    stranger = rotated(bob, bob.chain)
    async with alice.signed_in(url) as wire:
        for links, why in (
            ((*alice.chain.links, forged), "chain_broken"),
            ((*alice.chain.links, grown.links[-1], grown.links[-1]), "chain_broken"),
            (stranger.links, "genesis_mismatch"),
        ):
            with refused(f"signature_invalid: .*{why}"):
                await wire.call("links", links=write_links(links))
        assert await held(wire, alice) == alice.chain.links


async def test_a_device_of_somebody_else_cannot_be_added(url, alice, bob):
    async with alice.signed_in(url) as a, bob.signed_in(url):
        grown = with_device(alice, alice.chain, bob)
        with refused("409 id_collision"):
            await a.call("links", links=write_links(grown.links))
        assert await held(a, alice) == alice.chain.links
        assert await held(a, bob) == bob.chain.links


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"links": []},
        {"links": "all"},
        {"links": [{}]},
        {"links": [1]},
        {"links": None, "more": 1},
    ],
)
async def test_what_cannot_be_read_is_refused(url, alice, arguments):
    async with alice.signed_in(url) as wire:
        if "more" in arguments:
            arguments = {**arguments, "links": write_links(alice.chain.links)}
        with refused("400 malformed"):
            await wire.call("links", **arguments)
