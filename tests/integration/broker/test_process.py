"""The real program: one line when ready, nothing lost when killed, a clean stop, and logs that say nothing of people."""

import asyncio
import json
import sqlite3
import subprocess
import sys

import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed

from dispatch_broker.__main__ import main
from dispatch_protocol.keys import Digest
from tests.support.device import Device, befriend
from tests.support.patience import eventually
from tests.support.relay import broker_process


def run(*arguments):
    """Run the program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "dispatch_broker", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_it_says_one_line_and_stops_cleanly(tmp_path):
    async with broker_process(tmp_path / "broker") as broker:
        assert broker.url.startswith("http://127.0.0.1:")
        code, rest = await broker.terminate()
    assert (code, rest) == (0, b"")
    events = [json.loads(line)["event"] for line in broker.log.splitlines()]
    assert events == ["started", "draining", "stopped"]


async def test_bytes_that_are_no_http_are_one_quiet_line_and_are_not_quoted(tmp_path):
    async with broker_process(tmp_path / "broker") as broker:
        host, _, port = broker.url.removeprefix("http://").partition(":")
        for said in (b"GET / HTTP/1.1\r\nCANARY: \x00\r\n\r\n", b"CANARY\x16\x03\x01\r\n\r\n"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(said)
            assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
            writer.close()
        await broker.terminate()
    lines = [json.loads(line) for line in broker.log.splitlines()]
    assert "bad_http" in [line["event"] for line in lines]
    assert not [line for line in lines if line["level"] != "info"]
    assert "CANARY" not in broker.log
    assert "traceback" not in broker.log.lower()


async def test_no_acknowledged_deposit_is_lost_however_often_it_is_killed(tmp_path, bob):
    """Senders deposit without pause; the broker is killed in the middle, again and again."""
    senders = [Device(f"sender-{number}") for number in range(3)]
    acknowledged: set[bytes] = set()

    async def keep_sending(device, url, edge):
        async with device.connected(url) as wire:
            while True:
                envelopes = [device.envelope(bob, edge) for _ in range(5)]
                for envelope in envelopes:
                    await wire.deposit(envelope)
                    acknowledged.add(envelope)

    async with broker_process(tmp_path / "broker") as broker:
        edges = []
        async with bob.signed_in(broker.url) as b:
            for device in senders:
                async with device.signed_in(broker.url) as wire:
                    edges.append(await befriend(wire, b))
        for _ in range(4):
            before = len(acknowledged)
            sending = [
                asyncio.create_task(keep_sending(device, broker.url, edge))
                for device, edge in zip(senders, edges, strict=True)
            ]
            enough = before + 60
            await eventually(lambda: len(acknowledged) >= enough)  # noqa: B023 - awaited in this very turn
            await broker.kill()
            await asyncio.gather(*sending, return_exceptions=True)
            await broker.restart()
        came: set[bytes] = set()
        async with bob.connected(broker.url) as b:
            while not acknowledged <= came:
                delivery = await b.delivery()
                came.add(delivery.envelope)
                await b.ack(delivery.seq)
    assert len(acknowledged) >= 240


async def test_a_receiver_gets_everything_through_kills_of_the_broker(tmp_path, alice, bob):
    """Acknowledgements may be forgotten by a kill, so some come twice; none may be missing."""
    async with broker_process(tmp_path / "broker") as broker:
        async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
            edge = await befriend(a, b)
            sent = [alice.envelope(bob, edge) for _ in range(300)]
            await a.deposit_all(sent)
        came: list[bytes] = []
        for _ in range(3):
            async with bob.connected(broker.url) as b:
                for _ in range(40):
                    delivery = await b.delivery()
                    came.append(delivery.envelope)
                    await b.ack(delivery.seq)
                await broker.kill()
            await broker.restart()
        async with bob.connected(broker.url) as b:
            while set(came) != set(sent):
                delivery = await b.delivery()
                came.append(delivery.envelope)
                await b.ack(delivery.seq)


async def test_a_broker_that_is_asked_to_stop_finishes_what_is_in_flight(tmp_path, alice, bob):
    async with broker_process(tmp_path / "broker") as broker:
        async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
            edge = await befriend(a, b)
            acknowledged = []

            async def keep_sending():
                while True:
                    envelope = alice.envelope(bob, edge)
                    await a.deposit(envelope)
                    acknowledged.append(envelope)

            sending = asyncio.create_task(keep_sending())
            await eventually(lambda: len(acknowledged) >= 50)
            code, _ = await broker.terminate()
            assert code == 0
            assert (await a.notice("drain")).data == {}
            assert await a.end() is None
            with pytest.raises((ConnectionClosed, asyncio.CancelledError)):
                await sending
        await broker.restart()
        async with bob.connected(broker.url) as b:
            came = [(await b.delivery()).envelope for _ in acknowledged]
        assert came == acknowledged


async def test_neither_log_nor_database_knows_people_or_content(tmp_path, alice, bob):
    canary, stranger = b"CANARY-of-sealed-bytes", "canary-address"
    async with broker_process(tmp_path / "broker", "--log-level", "debug") as broker:
        async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
            edge = await befriend(a, b)
            digest = Digest(b"\xab" * 32)
            await a.deposit(alice.envelope(bob, edge, digest=digest, content=canary))
            await b.ack((await b.delivery()).seq)
            await b.call("edges")
            document = alice.invitation(f"{stranger}@example.org", broker.url).to_json()
            await a.call("invite", document=document, to_email=f"{stranger}@example.org", emailed=False)
            await a.call("revoke_edge", edge_id=edge.uuid)
        await broker.terminate()
        log = broker.log
    for secret in (canary.decode(), stranger, alice.address, bob.address, alice.genesis.hex, digest.hex):
        assert secret not in log
    assert alice.genesis.hex[:8] in log
    assert digest.hex[:8] in log
    for line in log.splitlines():
        assert {"at", "level", "event"} <= set(json.loads(line))


async def test_two_brokers_do_not_share_their_data(tmp_path):
    async with broker_process(tmp_path / "broker"):
        second = run("serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "broker"))
    assert second.returncode == 1
    assert "another broker uses" in second.stderr
    assert second.stdout == ""


async def test_a_taken_port_is_said_in_one_sentence(tmp_path):
    async with broker_process(tmp_path / "one") as broker:
        listen = broker.url.removeprefix("http://")
        second = run("serve", "--listen", listen, "--data", str(tmp_path / "two"))
    assert second.returncode == 1
    assert second.stderr.startswith(f"dispatch-broker: cannot listen on {broker.url}")


@pytest.mark.parametrize(
    "arguments,said",
    [
        (["--listen", "nowhere"], "HOST:PORT"),
        (["--listen", "127.0.0.1:70000"], "HOST:PORT"),
        (["--listen", "0.0.0.0:0"], "needs --public-url"),
        (["--listen", "0.0.0.0:0", "--dev"], "--dev"),
        (["--dev", "--public-url", "https://dispatch.example.org"], "--dev"),
        (["--public-url", "ftp://dispatch.example.org"], "--public-url"),
        (["--signup", "everybody"], "--signup"),
        (["--smtp-url", "smtp://mail"], "--mail-from"),
    ],
)
def test_settings_that_cannot_work_do_not_start(tmp_path, arguments, said):
    ended = CliRunner().invoke(main, ["serve", "--data", str(tmp_path / "broker"), *arguments])
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "broker").exists()


def test_a_damaged_database_is_said_and_left_alone(tmp_path):
    data = tmp_path / "broker"
    data.mkdir()
    (data / "broker.db").write_bytes(b"something else" * 500)
    ended = run("serve", "--listen", "127.0.0.1:0", "--data", str(data))
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert (data / "broker.db").read_bytes() == b"something else" * 500


def test_help_and_version():
    runner = CliRunner()
    assert "Serve until SIGTERM" in runner.invoke(main, ["serve", "--help"]).stdout
    for group in ([], ["user"]):  # the words of a command fit into its line
        assert "..." not in runner.invoke(main, [*group, "--help"]).stdout.partition("Commands:")[2]
    assert runner.invoke(main, ["--version"]).stdout.startswith("dispatch-broker")


async def test_the_database_is_sound_after_a_kill(tmp_path, alice, bob):
    async with (
        broker_process(tmp_path / "broker") as broker,
        alice.signed_in(broker.url) as a,
        bob.signed_in(broker.url) as b,
    ):
        edge = await befriend(a, b)
        await a.deposit_all([alice.envelope(bob, edge) for _ in range(100)])
        await broker.kill()
    with sqlite3.connect(tmp_path / "broker" / "broker.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        held = connection.execute("SELECT sum(held_rows), sum(held_bytes) FROM devices").fetchone()
        real = connection.execute("SELECT count(*), sum(size_bytes) FROM mailboxes").fetchone()
        assert held == real
    connection.close()
