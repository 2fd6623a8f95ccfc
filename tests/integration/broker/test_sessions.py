"""A session opens for a device that proves its key to this very broker, now, and for nobody else."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dispatch_broker.core.accounts import Signup, SignupMode
from dispatch_broker.core.quota import Quotas, Rate
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.frames import Challenge, Rejected
from dispatch_protocol.framing import decode_message, encode_messages
from dispatch_protocol.keys import SealingKey
from dispatch_protocol.links import (
    AddDeviceLink,
    RecoverLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
    sign_link,
)
from tests.support.device import Device, RelayRefusalError, befriend, dial
from tests.support.relay import broker_here


async def shake(url, device, *, change=lambda hello: hello, dialled=None, token=None):
    """Answer a challenge with a changed Hello and return the relay's verdict."""
    async with dial(url) as socket:
        (challenge,) = decode_message(await socket.recv(decode=False))
        hello = change(device.hello(challenge, dialled or url, token))
        for message in encode_messages([hello]):
            await socket.send(message)
        (verdict, *_) = decode_message(await socket.recv(decode=False))
        return verdict


async def test_after_the_first_session_the_key_alone_opens_the_next(url, alice):
    async with alice.signed_in(url) as wire:
        assert wire.welcome.token
    async with alice.connected(url) as wire:
        answer = await wire.call("token")
        assert answer["token"]
        assert answer["expires_ms"] - wire.welcome.time_ms <= 16 * 60_000


async def test_a_stranger_is_asked_to_sign_in(url, alice):
    with pytest.raises(RelayRefusalError, match="401 login_needed"):
        async with alice.connected(url):
            pass


async def test_a_token_of_another_device_opens_nothing(url, alice, bob):
    token = await alice.login(url)
    with pytest.raises(RelayRefusalError, match="401 token_invalid"):
        async with bob.connected(url, token=token):
            pass


@pytest.mark.parametrize("token", ["x", "x.y", "ü.ü", "e30.e30", "." * 4_096])
async def test_an_invented_token_opens_nothing(url, alice, token):
    with pytest.raises(RelayRefusalError, match="401 token_invalid"):
        async with alice.connected(url, token=token):
            pass


async def test_a_token_of_a_session_is_no_login(url, alice, bob):
    async with alice.signed_in(url) as wire:
        token = wire.welcome.token
    with pytest.raises(RelayRefusalError, match="401 token_invalid"):
        async with bob.connected(url, token=token):
            pass


async def test_a_login_token_lasts_ten_minutes(url, alice, clock):
    token = await alice.login(url)
    clock.ahead_ms = 10 * 60_000 + 1
    with pytest.raises(RelayRefusalError, match="401 token_invalid"):
        async with alice.connected(url, token=token):
            pass


async def test_a_repeated_counter_shows_a_cloned_home(url, alice):
    async with alice.signed_in(url):
        pass
    alice.counter -= 1
    with pytest.raises(RelayRefusalError, match="409 counter_reused"):
        async with alice.connected(url):
            pass


async def test_a_proof_for_another_relay_is_refused(url, alice):
    async with alice.signed_in(url):
        pass
    verdict = await shake(url, alice, dialled="https://evil.example.org")
    assert (verdict.code, verdict.status) == ("proof_mismatch", 401)


async def test_every_name_of_this_machine_is_the_same_broker(url, alice):
    async with alice.signed_in(url):
        pass
    verdict = await shake(url, alice, dialled=url.replace("127.0.0.1", "localhost"))
    assert not isinstance(verdict, Rejected)


async def test_a_proof_of_another_session_is_refused(url, alice):
    async with alice.signed_in(url):
        pass
    async with dial(url) as socket:
        (earlier,) = decode_message(await socket.recv(decode=False))
    verdict = await shake(url, alice, change=lambda _: alice.hello(earlier, url, None))
    assert (verdict.code, verdict.status) == ("proof_mismatch", 401)


async def test_a_proof_with_another_key_is_refused(url, alice, bob):
    async with alice.signed_in(url):
        pass

    def forge(hello):
        return replace(hello, proof=replace(hello.proof, signature=bytes(64)))

    assert (await shake(url, alice, change=forge)).code == "signature_bad"


async def test_another_chain_than_the_known_one_is_a_fork(url, alice):
    """Two different second links: whichever comes first stays."""
    async with alice.signed_in(url):
        pass
    base, links = alice.chain, []
    for name in ("one", "two"):
        link = RotateSealingLink(
            prev=base.head,
            created_ms=1_700_000_000_001,
            nonce=name.encode().ljust(16),
            device=alice.id,
            sealing=SealingKey(name.encode().ljust(32)).public,
        )
        links.append(sign_link(link, [alice.signing]))
    alice.chain = base.extend(links[:1])
    async with alice.connected(url) as wire:
        answer = await wire.call("chain", genesis=alice.genesis.hex)
        assert len(answer["links"]) == 2
    alice.chain = base
    async with alice.connected(url) as wire:  # a device that has not heard of it yet
        assert len((await wire.call("chain", genesis=alice.genesis.hex))["links"]) == 2
    alice.chain = base.extend(links[1:])
    verdict = await shake(url, alice)
    assert (verdict.code, verdict.status) == ("chain_forked", 409)


async def test_an_address_with_an_identity_never_gets_a_second_one(url, alice, bob):
    async with alice.signed_in(url):
        pass
    with pytest.raises(RelayRefusalError, match="409 pair_needed"):
        await bob.login(url, address=alice.address)


async def test_of_two_who_ask_for_one_address_the_first_session_gets_it(url, alice, bob):
    tokens = [await one.login(url, address="both@example.org") for one in (alice, bob)]
    async with alice.connected(url, token=tokens[0]):
        pass
    with pytest.raises(RelayRefusalError, match="409 pair_needed"):
        async with bob.connected(url, token=tokens[1]):
            pass


async def test_an_identity_keeps_its_address(url, alice):
    async with alice.signed_in(url):
        pass
    with pytest.raises(RelayRefusalError, match="409 address_mismatch"):
        await alice.login(url, address="other@example.org")


async def test_a_closed_broker_opens_no_account(tmp_path, alice):
    async with broker_here(tmp_path / "broker", signup=Signup(SignupMode.CLOSED)) as broker:
        with pytest.raises(RelayRefusalError, match="403 signup_closed"):
            await alice.login(broker.url)


async def test_a_newer_session_of_a_device_takes_the_place_of_the_older(url, alice, bob):
    async with alice.signed_in(url) as older, bob.signed_in(url) as b:
        edge = await befriend(b, older)
        async with alice.connected(url) as newer:
            assert (await older.end()).code == "replaced"
            await b.deposit(envelope := bob.envelope(alice, edge))
            assert (await newer.delivery()).envelope == envelope


async def test_a_revoked_device_that_hides_its_revocation_gets_no_session(url, alice):
    """Its own telling ends before the link that ended it; the broker has heard the rest from another device."""
    async with alice.signed_in(url):
        pass
    other = Device("alice elsewhere")
    times = {"created_ms": 1_700_000_000_001, "nonce": bytes(16)}
    added = AddDeviceLink(
        prev=alice.chain.head,
        device=other.id,
        sealing=other.sealing.public,
        roles=frozenset(Role),
        **times,
    )
    alice.chain = alice.chain.extend([sign_link(added, [alice.signing, other.signing])])
    revoked = RevokeDeviceLink(prev=alice.chain.head, device=alice.id, **times)
    other.chain = alice.chain.extend([sign_link(revoked, [other.signing])])
    async with other.connected(url):
        pass
    with pytest.raises(RelayRefusalError, match="403 device_revoked"):
        async with alice.connected(url):
            pass


async def test_the_open_session_of_a_device_ends_when_another_one_revokes_it(url, alice):
    async with alice.signed_in(url):
        pass
    stolen = Device("alice's phone, stolen while it is online")
    times = {"created_ms": 1_700_000_000_001, "nonce": bytes(16)}
    added = AddDeviceLink(
        prev=alice.chain.head,
        device=stolen.id,
        sealing=stolen.sealing.public,
        roles=frozenset(Role),
        **times,
    )
    both = alice.chain.extend([sign_link(added, [alice.signing, stolen.signing])])
    alice.chain = stolen.chain = both
    async with stolen.connected(url) as thief:
        revoked = RevokeDeviceLink(prev=both.head, device=stolen.id, **times)
        alice.chain = both.extend([sign_link(revoked, [alice.signing])])
        async with alice.connected(url):
            assert (await thief.end()).code == "device_revoked"


async def test_a_recovery_takes_an_identity_back_from_a_thief(url, alice):
    """A stolen device has revoked the honest one; the recovery key begins anew from before the theft."""
    stolen = Device("alice's stolen phone")
    times = {"created_ms": 1_700_000_000_001, "nonce": bytes(16)}
    added = AddDeviceLink(
        prev=alice.chain.head,
        device=stolen.id,
        sealing=stolen.sealing.public,
        roles=frozenset(Role),
        **times,
    )
    alice.chain = before = alice.chain.extend([sign_link(added, [alice.signing, stolen.signing])])
    async with alice.signed_in(url):
        pass
    theft = RevokeDeviceLink(prev=before.head, device=alice.id, **times)
    stolen.chain = before.extend([sign_link(theft, [stolen.signing])])
    async with stolen.connected(url):
        pass
    with pytest.raises(RelayRefusalError, match="403 device_revoked"):
        async with alice.connected(url):
            pass
    again = RecoverLink(prev=before.head, epoch=1, survivors=frozenset({alice.id}), device=None, **times)
    alice.chain = before.extend([sign_link(again, [alice.recovery])])
    async with alice.connected(url) as wire:
        told = read_links((await wire.call("chain", genesis=alice.genesis.hex))["links"])
        assert told == alice.chain.links
    with pytest.raises(RelayRefusalError, match="403 device_revoked"):
        async with stolen.connected(url):  # its own telling is the older history now
            pass


async def test_a_broker_that_is_about_to_stop_opens_no_session(tmp_path, alice):
    async with broker_here(tmp_path) as broker:
        broker._context.draining = True
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{broker.url}/v1/session")
    assert refused.value.status == 503


async def test_contacts_see_each_other_come_and_go(url, alice, bob, carol):
    async with alice.signed_in(url) as a, carol.signed_in(url) as c:
        async with bob.signed_in(url) as b:
            await befriend(a, b)
            (edge,) = (await a.call("edges"))["edges"]
            assert edge["online"] is True
        gone = await a.notice("presence")
        assert gone.data == {"genesis": bob.genesis.hex, "online": False}
        (edge,) = (await a.call("edges"))["edges"]
        assert edge["online"] is False
        async with bob.connected(url):
            came = await a.notice("presence")
            assert came.data == {"genesis": bob.genesis.hex, "online": True}
        await c.call("edges")
        assert c.notices.empty()


async def test_contacts_hear_that_a_chain_has_grown_and_strangers_do_not(url, alice, bob, carol):
    async with alice.signed_in(url) as a, carol.signed_in(url) as c:
        async with bob.signed_in(url) as b:
            await befriend(a, b)
        phone = Device("bob's phone")
        added = AddDeviceLink(
            prev=bob.chain.head,
            device=phone.id,
            sealing=phone.sealing.public,
            roles=frozenset(Role),
            created_ms=1_700_000_000_001,
            nonce=bytes(16),
        )
        bob.chain = bob.chain.extend([sign_link(added, [bob.signing, phone.signing])])
        async with bob.connected(url):
            assert (await a.notice("chain")).data == {"genesis": bob.genesis.hex}
        await c.call("edges")
        assert c.notices.empty()


async def test_a_chain_is_found_by_the_beginning_of_its_fingerprint(url, alice, bob):
    async with alice.signed_in(url), bob.signed_in(url), aiohttp.ClientSession() as client:
        for named, status in (
            (alice.genesis.hex, 200),
            (alice.genesis.hex[:16], 200),
            ("0" * 16, 404),
            (alice.genesis.hex[:15], 404),
            ("zz" * 8, 404),
        ):
            async with client.get(f"{url}/v1/chains/{named}") as answer:
                assert answer.status == status, named
                if status == 200:
                    assert read_links((await answer.json())["links"]) == alice.chain.links


async def test_who_does_not_prove_anything_in_time_is_hung_up(tmp_path):
    quotas = Quotas(handshake_ms=50)
    async with broker_here(tmp_path / "broker", quotas=quotas) as broker, dial(broker.url) as socket:
        (challenge,) = decode_message(await socket.recv(decode=False))
        assert isinstance(challenge, Challenge)
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_the_waiting_room_is_bounded(tmp_path):
    quotas = Quotas(handshakes=2)
    async with (
        broker_here(tmp_path / "broker", quotas=quotas) as broker,
        dial(broker.url) as one,
        dial(broker.url) as two,
    ):
        await asyncio.gather(one.recv(), two.recv())
        with pytest.raises(InvalidStatus) as refused:
            async with dial(broker.url):
                pass
        assert refused.value.response.status_code == 429


async def test_a_page_in_a_browser_does_not_get_a_session(url):
    with pytest.raises(InvalidStatus) as refused:
        async with dial(url, Origin="http://127.0.0.1"):
            pass
    assert refused.value.response.status_code == 403


async def test_calls_have_a_rate(tmp_path, alice):
    quotas = Quotas(calls=Rate(3, 60_000))
    async with (
        broker_here(tmp_path / "broker", quotas=quotas) as broker,
        alice.signed_in(broker.url) as wire,
    ):
        for _ in range(3):
            await wire.call("edges")
        with pytest.raises(RelayRefusalError, match="429 rate_limited"):
            await wire.call("edges")


async def test_frames_have_a_rate_and_a_fast_device_is_only_slowed(tmp_path, alice):
    quotas = Quotas(frames=Rate(10, 500), calls=Rate(1_000, 1_000))
    async with (
        broker_here(tmp_path / "broker", quotas=quotas) as broker,
        alice.signed_in(broker.url) as wire,
    ):
        started = asyncio.get_running_loop().time()
        for _ in range(20):
            await wire.call("edges")
        assert asyncio.get_running_loop().time() - started >= 0.4


async def test_one_account_has_so_many_connections(tmp_path, alice):
    async with broker_here(tmp_path / "broker", quotas=Quotas(connections=0)) as broker:
        token = await alice.login(broker.url)
        with pytest.raises(RelayRefusalError, match="429 quota"):
            async with alice.connected(broker.url, token=token):
                pass


def test_a_device_is_the_same_one_every_time():
    assert Device("alice").genesis == Device("alice").genesis
    assert isinstance(Device("alice").chain, Chain)
