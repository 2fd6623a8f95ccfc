"""A relay, or somebody with a leaked code, against two machines that pair, and against a device that shall leave."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dispatch_daemon.adapters.keystore import open_keystore
from dispatch_daemon.app.identity import open_identity
from dispatch_protocol import pairing
from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.links import ALL_ROLES, RevokeDeviceLink, sign_link
from dispatch_protocol.pairing import Join, Offer, Reveal
from dispatch_protocol.signing import Document
from tests.support.documents import ALICE, NOW_MS, fixed, person
from tests.support.lone_device import LoneDevice

TRIES = 64


def test_whoever_stands_between_them_with_the_code_shows_two_numbers() -> None:
    """Mallory plays the new machine to the old one and the old one to the new one, with keys of her own."""
    mallory = person("mallory")
    equal = 0
    for number in range(TRIES):
        offer = _offer(ALICE.chain, number)
        to_old = _join(offer, SigningKey(fixed("mallory's machine")), number)
        hers = _offer(mallory.chain, number)
        to_new = _join(hers, SigningKey(fixed(f"phone {number}")), number)
        shown_old = pairing.comparison(offer, to_old, Reveal(nonce=fixed(f"old {number}")))
        shown_new = pairing.comparison(hers, to_new, Reveal(nonce=fixed(f"old {number}")))
        equal += shown_old == shown_new
    assert equal == 0


def _offer(chain: Chain, number: int) -> Offer:
    return Offer(
        genesis=chain.genesis,
        head=chain.head,
        device=next(iter(chain.devices)),
        email=ALICE.email,
        roles=ALL_ROLES,
        commit=pairing.commitment(fixed(f"old {number}")),
    )


def _join(offer: Offer, key: SigningKey, number: int) -> Join:
    sealing = SealingKey(fixed(f"seal {key.device.hex}")).public
    link = pairing.joining_link(offer, key, sealing, created_ms=NOW_MS, nonce=bytes(16))
    return Join(link=link, nonce=fixed(f"new {number}"))


@asynccontextmanager
async def relay(told: Sequence[Document]) -> AsyncIterator[str]:
    """Serve a chain over plain HTTP, as a relay would; yields its address."""

    async def chain(_: web.Request) -> web.Response:
        return web.json_response({"links": write_links(told)})

    app = web.Application()
    app.router.add_get("/v1/chains/{genesis}", chain)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def doubted(device: LoneDevice, told: Sequence[Document]) -> None:
    """Let a relay say that this device was revoked, and show these links for it."""
    async with relay(told) as url:
        device.leaving.doubt(url)
        await device.leaving.settled()


async def test_a_relay_that_calls_a_device_revoked_without_a_link_changes_nothing(tmp_path: Path) -> None:
    async with LoneDevice.paired(tmp_path) as device:
        stranger = person("mallory")
        forged = _revocation(device.chain, device.own.device, stranger.sign)
        for told in (
            device.chain.links,
            device.chain.links[:1],
            stranger.chain.links,
            (*device.chain.links, forged),
            (),
        ):
            await doubted(device, told)
            assert not device.stopped
            assert device.keystore.load() is not None


async def test_a_device_obeys_the_link_that_ends_it(tmp_path: Path) -> None:
    async with LoneDevice.paired(tmp_path) as device:
        link = _revocation(device.chain, device.own.device, device.other)
        await doubted(device, (*device.chain.links, link))
        assert device.stopped
        assert not (tmp_path / "keys.json").exists()
        with pytest.raises(Exception, match="revoked"):
            open_identity(device.journal, open_keystore(tmp_path, "file"))


def _revocation(chain: Chain, device: Any, by: SigningKey) -> Document:
    link = RevokeDeviceLink(prev=chain.head, device=device, created_ms=NOW_MS, nonce=bytes(16))
    return sign_link(link, (by,))
