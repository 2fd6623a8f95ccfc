"""What an operator decides about people with `dispatch-broker user`, as a process of its own beside a broker that serves."""

import asyncio
import json
import sqlite3
import sys

import aiohttp
import pytest

from dispatch_broker.adapters.store_sqlite.schema import MIGRATIONS
from dispatch_broker.core.accounts import Signup, SignupMode
from tests.support.device import Device, RelayRefusalError, befriend
from tests.support.form_client import FormClient
from tests.support.mail_sink import MailSink
from tests.support.relay import broker_here

CLOSED = Signup(SignupMode.CLOSED)


async def user(data, *arguments, code=0):
    """Run the command and return its document."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatch_broker", "user", *arguments, "--data", str(data), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    assert not err
    return json.loads(out)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "broker"


async def test_an_admitted_address_signs_up_at_a_closed_broker(data, alice, bob):
    added = await user(data, "add", "Alice@Example.org")  # before there ever was a broker here
    assert (added["email"], added["status"], added["devices"]) == ("alice@example.org", "admitted", 0)
    async with broker_here(data, signup=CLOSED) as broker:
        async with alice.signed_in(broker.url):
            pass
        with pytest.raises(RelayRefusalError, match="403 signup_closed"):
            await bob.login(broker.url)
        await user(data, "add", "bob@example.org")
        async with bob.signed_in(broker.url):
            listed = await user(data, "list")
    people = [(each["email"], each["status"], each["devices"]) for each in listed["users"]]
    assert people == [("alice@example.org", "active", 1), ("bob@example.org", "active", 1)]
    assert listed["users"][0]["identity"] == alice.genesis.hex


@pytest.mark.parametrize(
    "arguments", [("list",), ("disable", "alice@example.org"), ("remove", "alice@example.org")]
)
async def test_a_directory_that_is_no_brokers_is_refused_and_left_alone(tmp_path, data, arguments):
    await user(data, "add", "alice@example.org")
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "typo", tmp_path / "empty"):
        error = (await user(wrong, *arguments, code=1))["error"]
        assert (error["code"], str(wrong) in error["message"]) == ("no_broker", True)
        assert error["hint"].startswith("dispatch-broker user list --data DIR")
    assert not (tmp_path / "typo").exists()
    assert not list((tmp_path / "empty").iterdir())
    assert [each["email"] for each in (await user(data, "list"))["users"]] == ["alice@example.org"]


async def test_whoever_is_disabled_is_let_go_of_and_stays_outside(data, alice):
    async with broker_here(data) as broker, aiohttp.ClientSession() as client:
        async with alice.signed_in(broker.url) as wire:
            headers = {"Authorization": f"Bearer {wire.welcome.token}"}
            disabled = await user(data, "disable", alice.address)
            assert (disabled["status"], disabled["devices"]) == ("disabled", 1)
            last_word = await asyncio.wait_for(wire.ended, 30)
            assert (last_word.code, last_word.status) == ("account_disabled", 403)
            async with client.get(f"{broker.url}/v1/blobs/{'a' * 64}", headers=headers) as response:
                assert (await response.json(content_type=None))["code"] == "token_invalid"
        with pytest.raises(RelayRefusalError, match="403 account_disabled"):
            async with alice.connected(broker.url):
                pass
        with pytest.raises(RelayRefusalError, match="403 account_disabled"):
            await alice.login(broker.url)
        assert (await user(data, "add", alice.address))["status"] == "active"
        async with alice.connected(broker.url):
            pass


async def test_no_code_is_mailed_to_whoever_is_disabled(data):
    with MailSink() as sink:
        async with broker_here(data, **sink.settings) as broker, aiohttp.ClientSession() as client:
            await user(data, "disable", "alice@example.org")
            form = FormClient(broker.url, client)
            begun = await form.begin()
            asked = await form.post("mail", device_code=begun["device_code"], email="alice@example.org")
            other = await form.post("mail", device_code=begun["device_code"], email="bob@example.org")
            assert (asked.status, asked.body) == (other.status, other.body) == (202, {"expires_in": 600})
            async with asyncio.timeout(30):
                while not sink.mails:  # noqa: ASYNC110 - a server in a thread of its own
                    await asyncio.sleep(0.01)
        assert [mail["To"] for mail in sink.mails] == ["bob@example.org"]


async def test_a_removed_account_is_gone_with_its_trust_and_its_address_is_free(data, alice, bob):
    async with broker_here(data) as broker:
        async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
            document = alice.invitation(bob.address, broker.url)
            left = await a.call("invite", document=document.to_json(), to_email=bob.address, emailed=False)
            removed = await user(data, "remove", alice.address)
            assert (removed["status"], removed["identity"]) == ("removed", alice.genesis.hex)
            last_word = await asyncio.wait_for(a.ended, 30)
            assert last_word.code == "login_needed"
            assert (await b.call("invitations"))["received"] == []
            assert left["invitation_id"]
        with pytest.raises(RelayRefusalError, match="401 login_needed"):
            async with alice.connected(broker.url):
                pass
        heir = Device("heir")
        await heir.login(broker.url, address=alice.address)
        refused = await user(data, "remove", "nobody@example.org", code=1)
        assert "nobody is known here" in refused["error"]["message"]


async def test_what_waited_for_a_removed_account_costs_its_sender_nothing(data, alice, bob):
    async with broker_here(data) as broker:
        async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
            edge = await befriend(a, b)
        async with alice.connected(broker.url) as a:
            await a.deposit(alice.envelope(bob, edge))
            await user(data, "remove", bob.address)
            with pytest.raises(RelayRefusalError, match="no_edge"):
                await a.deposit(alice.envelope(bob, edge))
    with sqlite3.connect(data / "broker.db") as database:
        counts = [
            database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("mailboxes", "envelopes", "edges", "tallies")
        ]
        held = database.execute("SELECT held_rows, held_bytes FROM accounts").fetchall()
    database.close()
    assert counts == [0, 0, 0, 0]
    assert held == [(0, 0)]


@pytest.mark.parametrize("email", ["nobody", "a@b@c", "<b>@example.org"])
async def test_an_address_has_to_be_one(data, email):
    assert "is not an address" in (await user(data, "add", email, code=1))["error"]["message"]


async def test_a_database_of_another_version_is_left_alone_while_it_serves(data, alice):
    async with broker_here(data) as broker:
        async with alice.signed_in(broker.url):
            pass
        with sqlite3.connect(data / "broker.db") as database:
            database.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
        database.close()
        refused = await user(data, "list", code=1)
    assert "restart it first" in refused["error"]["message"]


async def test_signing_out_ends_the_key_and_the_short_token_until_the_next_login(data, alice):
    async with broker_here(data) as broker, aiohttp.ClientSession() as client:
        async with alice.signed_in(broker.url) as wire:
            headers = {"Authorization": f"Bearer {wire.welcome.token}"}
            assert await wire.call("logout") == {}
            async with client.get(f"{broker.url}/v1/blobs/{'a' * 64}", headers=headers) as response:
                assert (await response.json(content_type=None))["code"] == "token_invalid"
        with pytest.raises(RelayRefusalError, match="401 login_needed"):
            async with alice.connected(broker.url):
                pass
        async with alice.signed_in(broker.url):
            pass
        async with alice.connected(broker.url):
            pass
