"""A broker behind a reverse proxy: sessions and sign-ins pass, and a forwarded address is believed of nobody else."""

import socket
from pathlib import Path

import aiohttp
import pytest

from dispatch_broker.adapters.settings import Settings, SettingsError
from dispatch_broker.core.quota import Quotas, Rate
from tests.support.form_client import FormClient
from tests.support.mail_sink import MailSink
from tests.support.relay import broker_here
from tests.support.reverse_proxy import reverse_proxy
from tests.support.signing_broker import until_mailed

FEW = Quotas(sign_ins=Rate(2, 600_000))
FIELDS = {"device": "d" * 64, "genesis": "e" * 64}


@pytest.fixture
def sink():
    with MailSink() as sink:
        yield sink


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


def bound():
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def networks(*texts):
    built = Settings.build(
        listen="127.0.0.1:0",
        data=Path("unused"),
        public_url=None,
        token_key=None,
        signup=None,
        dev=False,
        log_level="INFO",
        trusted_proxies=texts,
    )
    return built.proxies


async def begins(client, url, forwarded_for):
    """Begin a sign-in and say with which status it was answered."""
    headers = [("X-Forwarded-For", each) for each in forwarded_for]
    async with client.post(f"{url}/v1/login/device", data=FIELDS, headers=headers) as response:
        return response.status


async def test_people_sign_in_and_stay_through_a_proxy(tmp_path, sink, client, alice):
    listener, public = bound()
    more = {"dev": False, "public_url": public, "proxies": networks("127.0.0.1"), **sink.settings}
    async with broker_here(tmp_path / "broker", **more) as broker, reverse_proxy(listener, broker.url) as url:
        form = FormClient(url, client)
        begun = await form.begin(device=alice.id.hex, genesis=alice.genesis.hex)
        assert begun["verification_uri"] == f"{public}/login"
        await form.post("mail", device_code=begun["device_code"], email=alice.address)
        code = await until_mailed(sink, 1)
        done = await form.post("code", device_code=begun["device_code"], code=code)
        async with alice.connected(url, token=done.body["access_token"]) as wire:
            assert (await wire.call("edges"))["edges"] == []


async def test_each_caller_behind_a_trusted_proxy_has_a_rate_of_its_own(tmp_path, sink, client):
    listener, public = bound()
    more = {"dev": False, "public_url": public, "proxies": networks("127.0.0.0/8"), **sink.settings}
    async with broker_here(tmp_path / "broker", quotas=FEW, **more) as broker:
        said = [await begins(client, broker.url, ["192.0.2.1"]) for _ in range(3)]
        assert said == [200, 200, 429]
        assert await begins(client, broker.url, ["192.0.2.2"]) == 200
        # What the caller itself wrote stands before what the proxy added, and counts for nothing.
        assert await begins(client, broker.url, ["10.9.9.9, 192.0.2.1"]) == 429
        assert await begins(client, broker.url, ["10.9.9.9", "192.0.2.1, 127.0.0.9"]) == 429
    listener.close()


@pytest.mark.parametrize("invented", ["192.0.2.{}", "not an address {}", ""])
async def test_nobody_else_is_believed(tmp_path, sink, client, invented):
    async with broker_here(tmp_path / "broker", dev=False, quotas=FEW, **sink.settings) as broker:
        said = [await begins(client, broker.url, [invented.format(number)]) for number in range(3)]
    assert said == [200, 200, 429]


async def test_what_a_trusted_proxy_garbles_counts_as_the_proxy(tmp_path, sink, client):
    more = {"dev": False, "proxies": networks("127.0.0.1"), **sink.settings}
    async with broker_here(tmp_path / "broker", quotas=FEW, **more) as broker:
        said = [await begins(client, broker.url, [text]) for text in ("x", "192.0.2.1, y", "")]
    assert said == [200, 200, 429]


@pytest.mark.parametrize("text", ["", "proxy.example", "127.0.0.1/7", "10.0.0.0/33"])
def test_a_trusted_proxy_is_an_address_or_a_network(text):
    with pytest.raises(SettingsError, match="--trusted-proxy"):
        networks(text)
