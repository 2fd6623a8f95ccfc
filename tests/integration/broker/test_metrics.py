"""The operator's door: numbers that agree with what happened, said to nobody else, and about nobody."""

import asyncio
import json
import sqlite3

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dispatch_broker.adapters.settings import Settings, SettingsError
from tests.support.device import RelayRefusalError, befriend
from tests.support.relay import broker_here, broker_process

LOOPBACK = ("127.0.0.1", 0)


@pytest.fixture
async def broker(tmp_path, clock):
    async with broker_here(tmp_path / "broker", clock=clock, metrics=LOOPBACK) as application:
        yield application


async def ask(url, **headers):
    """Return status and text of one request; a name in `headers` has underscores for hyphens."""
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as client, client.get(url, headers=spelled) as response:
        return response.status, await response.text()


async def figures(broker):
    """Return every sample as (name, labels) -> value."""
    status, text = await ask(f"{broker.metrics_url}/metrics")
    assert status == 200
    return {
        (sample.name.removeprefix("dispatch_broker_"), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_delivery_is_counted_at_each_of_its_steps(broker, alice, bob, clock):
    async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
        edge = await befriend(a, b)
        now = await figures(broker)
        assert now["sessions",] == now["identities_online",] == 2
        assert now["handshakes_total", ("code", "ok")] == 2
        assert now["connections",] >= 2
        assert now["calls_total", ("code", "ok"), ("op", "invite")] == 1
        assert now["waiting_envelopes",] == 0
        envelope = alice.envelope(bob, edge)
        await a.deposit(envelope)
        delivery = await b.delivery()
        clock.ahead_ms += 5_000
        now = await figures(broker)
        assert now["deposits_total", ("code", "ok")] == 1
        assert now["deliveries_total",] == 1
        assert now["delivered_bytes_total",] == now["waiting_bytes",] == len(envelope)
        assert (
            now["waiting_mailboxes",] == now["waiting_envelopes",] == now["deepest_mailbox_envelopes",] == 1
        )
        assert 5 <= now["oldest_envelope_age_seconds",] < 60
        await b.ack(delivery.seq)

        while (now := await figures(broker))["waiting_envelopes",]:  # noqa: ASYNC110 - it is asked, it does not tell
            await asyncio.sleep(0.01)
        assert now["acknowledgements_total",] == 1
        assert now["oldest_envelope_age_seconds",] == 0


async def test_every_no_is_counted_by_its_code(broker, alice, bob):
    async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
        edge = await befriend(a, b)
        await b.call("revoke_edge", edge_id=edge.uuid)
        with pytest.raises(RelayRefusalError):
            await a.deposit(alice.envelope(bob, edge))
        with pytest.raises(RelayRefusalError):
            await a.call("no-such-call-" + "x" * 20)
    alice.counter = 0
    with pytest.raises(RelayRefusalError):
        await alice.connected(broker.url).__aenter__()
    await ask(f"{broker.url}/nowhere/at/all")
    now = await figures(broker)
    assert now["deposits_total", ("code", "edge_revoked")] == 1
    assert now["calls_total", ("code", "unknown_op"), ("op", "unknown")] == 1
    assert now["handshakes_total", ("code", "counter_reused")] == 1
    assert now["http_requests_total", ("route", "none"), ("status", "404")] == 1


async def test_commits_are_timed_and_counted(broker, alice):
    before = await figures(broker)
    async with alice.signed_in(broker.url):
        now = await figures(broker)
    assert now["commit_seconds_count",] > before["commit_seconds_count",]
    assert now["commit_seconds_sum",] > before["commit_seconds_sum",]
    assert now["commit_waiters_bucket", ("le", "+Inf")] == now["commit_seconds_count",]
    assert now["store_bytes", ("file", "database")] > 0
    assert now["process_resident_memory_bytes",] > 0


async def test_nobody_is_named(broker, alice, bob):
    async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
        edge = await befriend(a, b)
        envelope = alice.envelope(bob, edge, content=b"a secret plan")
        await a.deposit(envelope)
        await ask(f"{broker.url}/v1/chains/{alice.genesis.hex}")
        _, text = await ask(f"{broker.metrics_url}/metrics")
    names = [
        one
        for person in (alice, bob)
        for one in (person.address, person.name, person.id.hex, person.genesis.hex)
    ]
    assert [name for name in [*names, edge.uuid, "secret", "127.0.0.1"] if name in text] == []


async def test_two_brokers_in_one_process_count_apart(broker, tmp_path, alice):
    async with broker_here(tmp_path / "other", metrics=LOOPBACK) as other, alice.signed_in(other.url):
        assert (await figures(broker))["sessions",] == 0
        assert (await figures(other))["sessions",] == 1


class TestWhoMayRead:
    async def test_the_public_door_has_no_such_path(self, broker):
        assert (await ask(f"{broker.url}/metrics"))[0] == 404

    async def test_and_the_operators_door_has_nothing_else(self, broker):
        assert (await ask(f"{broker.metrics_url}/v1/openapi.json"))[0] == 404
        assert (await ask(f"{broker.metrics_url}/health"))[0] == 404

    @pytest.mark.parametrize("development", [True, False])
    @pytest.mark.parametrize(
        "headers",
        [
            {"X_Forwarded_For": "203.0.113.9"},
            {"Forwarded": "for=203.0.113.9"},
            {"Via": "1.1 proxy"},
            {"Origin": "http://127.0.0.1"},
            {"Host": "rebound.example.org"},
        ],
    )
    async def test_what_may_come_from_elsewhere_gets_nothing(self, tmp_path, headers, development):
        async with broker_here(tmp_path / "b", metrics=LOOPBACK, dev=development) as broker:
            assert (await ask(f"{broker.metrics_url}/metrics"))[0] == 200
            status, text = await ask(f"{broker.metrics_url}/metrics", **headers)
        assert status in {403, 404}
        assert "dispatch_broker_" not in text

    async def test_without_the_option_there_is_no_door(self, tmp_path):
        async with broker_here(tmp_path / "b") as broker:
            assert broker.metrics_url is None
            assert (await ask(f"{broker.url}/metrics"))[0] == 404

    @pytest.mark.parametrize(
        ("metrics", "words"),
        [("0.0.0.0:9000", "stays on this machine"), ("nine", "--metrics is HOST:PORT")],
    )
    def test_a_wrong_address_does_not_start(self, tmp_path, metrics, words):
        with pytest.raises(SettingsError, match=words):
            Settings.build(
                listen="127.0.0.1:0",
                data=tmp_path,
                public_url=None,
                token_key=None,
                signup=None,
                dev=True,
                log_level="INFO",
                metrics=metrics,
            )


async def test_it_is_described_where_it_is_served_and_not_where_it_is(broker, tmp_path):
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{broker.url}/v1/openapi.json") as response:
            described = (await response.json())["paths"]["/metrics"]
        async with client.get(f"{broker.metrics_url}/metrics") as response:
            assert response.content_type in described["get"]["responses"]["200"]["content"]
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with client.get(f"{broker.metrics_url}/metrics", headers=accept) as response:
            assert response.content_type in described["get"]["responses"]["200"]["content"]
            assert (await response.text()).endswith("# EOF\n")
    assert broker.metrics_url.removeprefix("http://") not in str(described)


async def test_an_older_database_learns_when_things_came(tmp_path, alice, bob):
    """What waited before the broker kept times is served and counted, and has no age."""
    data = tmp_path / "broker"
    async with broker_here(data) as broker, alice.signed_in(broker.url) as a:
        async with bob.signed_in(broker.url) as b:
            edge = await befriend(a, b)
        await a.deposit(alice.envelope(bob, edge))
    with sqlite3.connect(data / "broker.db") as database:
        database.execute("DROP TABLE mails")
        database.execute("DROP TABLE blobs")
        database.execute("DROP TABLE users")
        database.execute("ALTER TABLE devices DROP COLUMN signed_out")
        database.execute("ALTER TABLE envelopes DROP COLUMN arrived_ms")
        database.execute("PRAGMA user_version = 1")
    database.close()
    async with broker_here(data, metrics=LOOPBACK) as broker:
        now = await figures(broker)
        assert now["waiting_envelopes",] == 1
        assert now["oldest_envelope_age_seconds",] == 0
        async with bob.connected(broker.url) as b:
            assert (await b.delivery()).envelope


async def test_the_program_says_where_its_metrics_are(tmp_path):
    async with broker_process(tmp_path / "broker", "--metrics", "127.0.0.1:0") as broker:
        events = [json.loads(line) for line in broker.log.splitlines()]
        (url,) = (event["url"] for event in events if event["event"] == "metrics")
        status, text = await ask(f"{url}/metrics")
    assert status == 200
    assert "dispatch_broker_sessions 0.0" in text


async def test_a_store_that_cannot_be_read_is_unavailable_and_no_fault_of_the_program(broker, caplog):
    commits = broker._context.store._commits
    commits.writer.execute("ALTER TABLE devices RENAME COLUMN held_rows TO rows")
    commits.commit()
    status, text = await ask(f"{broker.metrics_url}/metrics")
    assert (status, json.loads(text)["code"]) == (503, "unavailable")
    assert "sqlite" not in text.lower()
    assert "store_failed" in caplog.text
    commits.writer.execute("ALTER TABLE devices RENAME COLUMN rows TO held_rows")
    assert (await figures(broker))["waiting_envelopes",] == 0
