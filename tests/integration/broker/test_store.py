"""The SQLite store on its own: what it keeps, counts and forgets, and what a failing disk does to it."""

import asyncio
import sqlite3

import pytest

from dispatch_broker.adapters.store_sqlite import SqliteStore, StoreError
from dispatch_broker.adapters.store_sqlite.schema import MIGRATIONS
from dispatch_broker.core.effects import (
    CountTask,
    KeepEdge,
    KeepInvitation,
    KeepLinks,
    MoveEdge,
    OpenAccount,
    PutEnvelope,
)
from dispatch_broker.core.mailbox import Load, Parcel
from dispatch_broker.core.quota import Usage
from dispatch_broker.core.records import EdgeStatus, InvitationStatus
from dispatch_broker.core.routing import Tally
from tests.support.broker_facts import (
    ALICE,
    ALICE_DEVICE,
    BOB,
    BOB_DEVICE,
    DAY_MS,
    EDGE_ID,
    NOW_MS,
    device,
    digest,
    edge,
    invitation,
)
from tests.support.patience import eventually

EVERYTHING = Load(0, 1_000, 1 << 30)
TABLET = device("bob's tablet")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "broker.db"


@pytest.fixture
async def store(path):
    store = SqliteStore(path, fresh_epoch="first")
    store.perform(
        [
            OpenAccount(ALICE, NOW_MS),
            KeepLinks(ALICE.genesis, 0, (b"alice",), (ALICE_DEVICE,)),
            OpenAccount(BOB, NOW_MS),
            KeepLinks(BOB.genesis, 0, (b"bob",), (BOB_DEVICE, TABLET)),
            KeepEdge(edge()),
        ],
        NOW_MS,
    )
    await durable(store)
    yield store
    store.close()


async def durable(store):
    """Wait for the commit; returns whether it happened."""
    done = asyncio.get_running_loop().create_future()
    store.when_durable(done.set_result)
    return await done


def put(name, *devices, size=100, ttl_ms=NOW_MS + DAY_MS):
    return PutEnvelope(
        raw=name.encode().ljust(size, b"."),
        digest=digest(name),
        depositor=ALICE.genesis,
        devices=devices or (BOB_DEVICE,),
        ttl_ms=ttl_ms,
    )


def count(path, table):
    with sqlite3.connect(path) as connection:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return rows


class TestMailboxes:
    async def test_only_what_is_durable_is_read(self, store):
        store.perform([put("one")], NOW_MS)
        assert store.mailboxes.read(BOB_DEVICE, EVERYTHING) == []
        assert await durable(store)
        assert [parcel for parcel, _ in store.mailboxes.read(BOB_DEVICE, EVERYTHING)] == [Parcel(1, 100)]

    async def test_one_envelope_for_two_devices_is_stored_once_and_goes_with_the_last(self, store, path):
        store.perform([put("one", BOB_DEVICE, TABLET)], NOW_MS)
        await durable(store)
        assert (count(path, "envelopes"), count(path, "mailboxes")) == (1, 2)
        store.forget(BOB_DEVICE, [1])
        await durable(store)
        assert (count(path, "envelopes"), count(path, "mailboxes")) == (1, 1)
        store.forget(TABLET, [1])
        await durable(store)
        assert (count(path, "envelopes"), count(path, "mailboxes")) == (0, 0)

    async def test_a_batch_is_bounded_in_bytes_but_never_empty(self, store):
        store.perform([put(name, size=1_000) for name in "abc"], NOW_MS)
        await durable(store)
        assert len(store.mailboxes.read(BOB_DEVICE, Load(0, 10, 2_500))) == 2
        assert len(store.mailboxes.read(BOB_DEVICE, Load(0, 10, 1))) == 1
        assert len(store.mailboxes.read(BOB_DEVICE, Load(2, 10, 2_500))) == 1

    async def test_places_are_never_used_twice(self, store):
        for name in "ab":
            store.perform([put(name)], NOW_MS)
            await durable(store)
            ((parcel, _),) = store.mailboxes.read(BOB_DEVICE, EVERYTHING)
            store.forget(BOB_DEVICE, [parcel.seq])
            await durable(store)
        assert parcel.seq == 2

    async def test_what_waits_is_counted_on_both_sides(self, store):
        store.perform([put("one", BOB_DEVICE, TABLET), put("two")], NOW_MS)
        (box,) = store.mailboxes.look([BOB_DEVICE], digest("two"))
        assert box.waiting == Usage(2, 200)
        assert box.holds_from == ALICE.genesis
        assert store.accounts.deposited(ALICE.genesis) == Usage(3, 300)
        store.forget(BOB_DEVICE, [1, 2, 7])
        (box,) = store.mailboxes.look([BOB_DEVICE], digest("two"))
        assert (box.waiting, box.holds_from) == (Usage(0, 0), None)
        assert store.accounts.deposited(ALICE.genesis) == Usage(1, 100)

    async def test_an_unknown_device_is_nobodys(self, store):
        (box,) = store.mailboxes.look([device("stranger")], digest("one"))
        assert box.owner is None

    async def test_a_device_that_leaves_its_chain_loses_what_waits_for_it(self, store, path):
        store.perform([put("one", BOB_DEVICE, TABLET)], NOW_MS)
        store.perform([KeepLinks(BOB.genesis, 1, (b"revoke",), (BOB_DEVICE,))], NOW_MS)
        (box,) = store.mailboxes.look([TABLET], digest("one"))
        assert box.owner is None
        await durable(store)
        assert count(path, "mailboxes") == 1
        assert store.accounts.deposited(ALICE.genesis) == Usage(1, 100)
        assert store.accounts.links(BOB.genesis) == (b"bob", b"revoke")

    async def test_a_chain_goes_on_from_an_earlier_link_when_a_recovery_voids_the_rest(self, store):
        store.perform([KeepLinks(BOB.genesis, 1, (b"thief", b"more"), (TABLET,))], NOW_MS)
        store.perform([KeepLinks(BOB.genesis, 1, (b"recover",), (BOB_DEVICE,))], NOW_MS)
        assert store.accounts.links(BOB.genesis) == (b"bob", b"recover")
        assert store.accounts.served(BOB_DEVICE)
        assert not store.accounts.served(TABLET)


class TestTallies:
    async def test_a_day_is_counted_without_counting(self, store):
        for hour in range(30):
            store.perform([CountTask(EDGE_ID, digest(f"task {hour}"), NOW_MS + hour * DAY_MS // 24)], NOW_MS)
        late_ms = NOW_MS + 29 * DAY_MS // 24
        assert store.edges.tally(EDGE_ID, digest("task 29"), late_ms) == Tally(tasks=24, counted=True)
        assert store.edges.tally(EDGE_ID, digest("task 0"), late_ms) == Tally(tasks=24, counted=False)
        assert store.edges.tally(EDGE_ID, digest("x"), late_ms + DAY_MS) == Tally(tasks=0, counted=False)

    async def test_each_part_of_the_count_is_found_by_an_index(self, store):
        """It is asked for each task: one that read all of the day before would make a day cost its square."""
        asked = []
        store._commits.writer.set_trace_callback(asked.append)
        store.edges.tally(EDGE_ID, digest("task"), NOW_MS)
        store._commits.writer.set_trace_callback(None)
        (sql,) = asked
        plan = [row[-1] for row in store._commits.writer.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert len([step for step in plan if "tallies" in step]) == 3
        assert [step for step in plan if "SCAN" in step.split() and "SCALAR" not in step] == []
        assert [step for step in plan if "TEMP B-TREE" in step] == []

    async def test_a_clock_that_is_put_back_frees_nothing(self, store):
        store.perform([CountTask(EDGE_ID, digest("one"), NOW_MS)], NOW_MS)
        store.perform([CountTask(EDGE_ID, digest("two"), NOW_MS - DAY_MS)], NOW_MS)
        assert store.edges.tally(EDGE_ID, digest("two"), NOW_MS) == Tally(tasks=2, counted=True)

    async def test_a_task_of_the_day_before_may_be_counted_again(self, store):
        store.perform([CountTask(EDGE_ID, digest("one"), NOW_MS)], NOW_MS)
        store.perform([CountTask(EDGE_ID, digest("one"), NOW_MS + DAY_MS)], NOW_MS)
        assert store.edges.tally(EDGE_ID, digest("one"), NOW_MS + DAY_MS) == Tally(tasks=1, counted=True)


class TestPurge:
    async def test_what_time_has_ended_goes(self, store, path):
        kept = put("kept", ttl_ms=NOW_MS + 1)
        store.perform([put("over", BOB_DEVICE, TABLET, ttl_ms=NOW_MS), kept], NOW_MS)
        store.perform([CountTask(EDGE_ID, digest("yesterday"), NOW_MS - DAY_MS)], NOW_MS)
        assert store.purge(NOW_MS) >= 3
        await durable(store)
        assert [count(path, table) for table in ("mailboxes", "envelopes", "tallies")] == [1, 1, 0]
        assert store.accounts.deposited(ALICE.genesis) == Usage(1, 100)

    async def test_a_batch_is_bounded(self, store, path):
        store.perform([put(str(number), ttl_ms=NOW_MS) for number in range(1_200)], NOW_MS)
        assert store.purge(NOW_MS)
        assert store.purge(NOW_MS)
        assert store.purge(NOW_MS) == 0
        await durable(store)
        assert count(path, "mailboxes") == 0

    async def test_invitations_and_edges_that_ended_long_ago_go_and_live_ones_stay(self, store, path):
        store.perform([KeepInvitation(invitation(InvitationStatus.DECLINED, expires_ms=NOW_MS))], NOW_MS)
        store.purge(NOW_MS + 29 * DAY_MS)
        assert store.invitations.invitation(EDGE_ID) is not None
        store.purge(NOW_MS + 31 * DAY_MS)
        assert store.invitations.invitation(EDGE_ID) is None
        assert store.edges.edge(EDGE_ID) is not None
        store.perform([MoveEdge(EDGE_ID, EdgeStatus.REVOKED)], NOW_MS)
        store.purge(NOW_MS + 31 * DAY_MS)
        assert store.edges.edge(EDGE_ID) is None

    async def test_an_edge_that_was_never_confirmed_ends(self, store):
        store.perform([MoveEdge(EDGE_ID, EdgeStatus.PENDING)], NOW_MS)
        store.purge(NOW_MS + 31 * DAY_MS)
        assert store.edges.edge(EDGE_ID).status is EdgeStatus.REVOKED


class TestCommits:
    async def test_one_flush_carries_many(self, store):
        order = []
        for number in range(20):
            store.perform([put(str(number))], NOW_MS)
            store.when_durable(lambda done, number=number: order.append((number, done)))
        assert order == []
        assert await durable(store)
        assert order == [(number, True) for number in range(20)]

    async def test_with_nothing_open_nobody_waits(self, store):
        told = []
        store.when_durable(told.append)
        assert told == [True]

    async def test_an_acknowledgement_commits_itself_a_little_later(self, store, path):
        store.perform([put("one")], NOW_MS)
        await durable(store)
        store.forget(BOB_DEVICE, [1])
        await eventually(lambda: count(path, "mailboxes") == 0)

    async def test_a_full_disk_loses_the_group_as_a_whole_and_says_so_to_all_of_it(self, store):
        connection = store._commits.writer
        told = []
        store.perform([put("small")], NOW_MS)
        store.when_durable(told.append)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreError):
            store.perform([put("large", size=1_000_000)], NOW_MS)
        assert told == [False]
        connection.execute("PRAGMA max_page_count = 1000000")
        assert store.mailboxes.read(BOB_DEVICE, EVERYTHING) == []
        store.perform([put("again")], NOW_MS)
        assert await durable(store)
        assert len(store.mailboxes.read(BOB_DEVICE, EVERYTHING)) == 1

    async def test_a_commit_that_fails_is_told(self, store):
        store._commits.writer.execute("PRAGMA foreign_keys = ON")
        store.perform([put("one")], NOW_MS)
        store._commits.writer.execute("PRAGMA defer_foreign_keys = ON")
        store._commits.writer.execute(
            "INSERT INTO links (account_no, position, document) VALUES (999, 0, x'00')"
        )
        assert await durable(store) is False
        assert store.mailboxes.read(BOB_DEVICE, EVERYTHING) == []


class TestFiles:
    async def test_a_database_survives_its_broker(self, path):
        for _ in range(2):
            store = SqliteStore(path, fresh_epoch="once")
            assert store.epoch == "once"
            store.close()
        assert path.stat().st_mode & 0o077 == 0

    async def test_a_database_from_the_future_is_left_alone(self, path):
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        connection.close()
        with pytest.raises(StoreError, match="version"):
            SqliteStore(path, fresh_epoch="x")

    @pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 100])
    async def test_a_file_that_is_no_database_is_left_alone(self, path, content):
        path.write_bytes(content)
        with pytest.raises(StoreError):
            SqliteStore(path, fresh_epoch="x")
        assert path.read_bytes() == content

    async def test_a_place_that_cannot_be_written_is_said(self, tmp_path):
        with pytest.raises(StoreError):
            SqliteStore(tmp_path / "missing" / "broker.db", fresh_epoch="x")
