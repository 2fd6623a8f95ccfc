"""Group commit over a real file: nothing is answered before the disk has it, and no decision is half written."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatch_daemon.adapters.journal import Database, JournalError
from dispatch_daemon.adapters.journal import database as module
from dispatch_daemon.adapters.journal.schema import MIGRATIONS

KEEP = "INSERT INTO meta (key, value) VALUES (?, ?)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def keys(path: Path) -> set[str]:
    """Return what another reader of the file sees."""
    with sqlite3.connect(path) as other:
        found = {key for (key,) in other.execute("SELECT key FROM meta")}
    other.close()
    return found


def opened(path: Path) -> Database:
    return Database(path)


def fill(database: Database) -> None:
    """Let the next larger write find the disk full."""
    ((pages,),) = database.read("PRAGMA page_count")
    database.read(f"PRAGMA max_page_count = {pages + 4}")


def unfinishable(database: Database) -> None:
    """Write what the file refuses only at the commit."""
    database.write("CREATE TABLE pointer (x TEXT REFERENCES meta (key) DEFERRABLE INITIALLY DEFERRED) STRICT")
    database.write(KEEP, ("a", "1"))
    database.write("INSERT INTO pointer VALUES ('nowhere')")


# -- group commit --------------------------------------------------------------------------------------


async def test_many_decisions_of_one_turn_share_one_commit(path: Path) -> None:
    database = opened(path)
    commits: list[str] = []
    database._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    async def decide(number: int) -> set[str]:
        database.write(KEEP, (str(number), "1"))
        await database.committed()
        return keys(path)

    seen = await asyncio.gather(*(decide(number) for number in range(50)))
    assert len(commits) == 1
    assert all(each == {str(number) for number in range(50)} for each in seen)
    database.close()


async def test_nobody_else_sees_a_decision_before_its_commit(path: Path) -> None:
    database = opened(path)
    database.write(KEEP, ("a", "1"))
    assert database.read("SELECT key FROM meta") == [("a",)]
    assert keys(path) == set()
    await database.committed()
    assert keys(path) == {"a"}
    database.close()


async def test_whoever_wrote_nothing_waits_for_nothing(path: Path) -> None:
    database = opened(path)
    await database.committed()
    database.close()


async def test_waiter_that_gave_up_does_not_hold_up_the_others(path: Path) -> None:
    database = opened(path)

    async def keep(key: str) -> None:
        database.write(KEEP, (key, "1"))
        await database.committed()

    impatient, patient = asyncio.create_task(keep("a")), asyncio.create_task(keep("b"))
    asyncio.get_running_loop().call_soon(impatient.cancel)
    await patient
    assert impatient.cancelled()
    assert keys(path) == {"a", "b"}
    database.close()


async def test_what_nobody_waits_for_rides_the_commit_of_somebody_who_does(path: Path) -> None:
    database = opened(path)
    commits: list[str] = []
    database._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    with database.at_leisure():
        database.write(KEEP, ("unhurried", "1"))
    await asyncio.sleep(0)
    assert (commits, keys(path)) == ([], set())
    database.write(KEEP, ("hurried", "1"))
    await database.committed()
    assert (commits, keys(path)) == (["COMMIT"], {"unhurried", "hurried"})
    database.close()


async def test_what_nobody_waits_for_is_committed_all_the_same(path: Path) -> None:
    database = opened(path)
    with database.at_leisure():
        database.write(KEEP, ("unhurried", "1"))
    while not keys(path):  # noqa: ASYNC110 - what is waited for is the file
        await asyncio.sleep(0.01)
    database.close()


async def test_whoever_waits_hurries_what_was_written_at_leisure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEISURE_S", 3_600.0)
    database = opened(path)
    with database.at_leisure():
        database.write(KEEP, ("unhurried", "1"))
    await database.committed()
    assert keys(path) == {"unhurried"}
    database.close()


def test_outside_a_loop_closing_commits(path: Path) -> None:
    database = opened(path)
    database.write(KEEP, ("a", "1"))
    database.close()
    assert keys(path) == {"a"}


async def test_what_was_begun_outside_a_loop_is_committed_inside_it(path: Path) -> None:
    database = opened(path)
    database._connection.execute("BEGIN IMMEDIATE")
    database.write(KEEP, ("a", "1"))
    await database.committed()
    assert keys(path) == {"a"}
    database.close()


async def test_every_commit_is_forced_to_the_disk(path: Path) -> None:
    database = opened(path)
    assert database.read("PRAGMA journal_mode") == [("wal",)]
    assert database.read("PRAGMA synchronous") == [(2,)]
    database.close()


def decide(database: Database, *keys: str, fails: bool = False) -> None:
    """Write several things as one decision."""
    with database.together():
        for key in keys:
            database.write(KEEP, (key, "1"))
        if fails:
            raise KeyError


def around(database: Database, key: str) -> None:
    """Make a decision inside one that fails after it."""
    with database.together():
        decide(database, key)
        raise KeyError


# -- together ------------------------------------------------------------------------------------------


async def test_failed_decision_leaves_nothing_and_costs_the_others_nothing(path: Path) -> None:
    database = opened(path)
    database.write(KEEP, ("before", "1"))
    with pytest.raises(KeyError):
        decide(database, "half", fails=True)
    database.write(KEEP, ("after", "1"))
    await database.committed()
    assert keys(path) == {"before", "after"}
    database.close()


async def test_decision_inside_a_decision_fails_alone_or_with_the_whole(path: Path) -> None:
    database = opened(path)
    with database.together():
        database.write(KEEP, ("outer", "1"))
        with pytest.raises(sqlite3.IntegrityError):
            decide(database, "inner", "outer")
    with pytest.raises(KeyError):
        around(database, "innocent")
    await database.committed()
    assert keys(path) == {"outer"}
    database.close()


# -- a full disk ---------------------------------------------------------------------------------------


async def test_full_disk_is_said_by_its_code_and_changes_nothing(path: Path) -> None:
    database = opened(path)
    fill(database)
    with pytest.raises(JournalError) as raised, database.together():
        database.write(KEEP, ("large", "x" * 1_000_000))
    assert raised.value.code == "disk_full"
    database.close()
    assert keys(path) == set()


async def test_everybody_who_shared_the_lost_batch_is_told(path: Path) -> None:
    database = opened(path)
    fill(database)

    async def keep(key: str, value: str) -> None:
        with database.together():
            database.write(KEEP, (key, value))
        await database.committed()

    told = await asyncio.gather(
        keep("small", "1"), keep("large", "x" * 1_000_000), keep("late", "1"), return_exceptions=True
    )
    assert [getattr(error, "code", None) for error in told] == ["disk_full"] * 3
    assert keys(path) == set()
    await keep("small", "1")
    assert keys(path) == {"small"}
    database.close()


async def test_commit_that_fails_tells_everybody_and_keeps_nothing(path: Path) -> None:
    database = opened(path)

    async def keep(write: Callable[[], object]) -> None:
        write()
        await database.committed()

    told = await asyncio.gather(
        keep(lambda: unfinishable(database)),
        keep(lambda: database.write(KEEP, ("innocent", "1"))),
        return_exceptions=True,
    )
    assert [getattr(error, "code", None) for error in told] == ["disk_full"] * 2
    database.close()
    assert keys(path) == set()


def test_commit_that_fails_without_a_waiter_is_raised(path: Path) -> None:
    database = opened(path)
    unfinishable(database)
    with pytest.raises(JournalError):
        database.commit()
    database.close()
    assert keys(path) == set()


async def test_journal_that_another_program_holds_is_not_written_and_recovers(path: Path) -> None:
    database = opened(path)
    database.read("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError):
        database.write(KEEP, ("a", "1"))
    other.execute("ROLLBACK")
    other.close()
    database.write(KEEP, ("a", "1"))
    await database.committed()
    assert keys(path) == {"a"}
    database.close()


def test_wrong_statement_is_our_mistake_and_not_the_disks(path: Path) -> None:
    database = opened(path)
    with pytest.raises(sqlite3.OperationalError):
        database.write("INSERT INTO nowhere VALUES (1)")
    database.close()


# -- opening -------------------------------------------------------------------------------------------


def test_new_file_gets_the_newest_schema(path: Path) -> None:
    database = opened(path)
    assert database.read("PRAGMA user_version") == [(len(MIGRATIONS),)]
    database.close()


def test_older_file_is_brought_up_to_date_with_what_it_holds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = opened(path)
    old.write(KEEP, ("a", "1"))
    old.close()
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE later (x INTEGER) STRICT;"))
    new = opened(path)
    assert new.read("PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]
    assert new.read("SELECT x FROM later") == []
    assert new.read("SELECT key FROM meta") == [("a",)]
    new.close()


def test_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(path).close()
    broken = "CREATE TABLE later (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as patched:
        patched.setattr(module, "MIGRATIONS", (*MIGRATIONS, broken))
        with pytest.raises(JournalError) as raised:
            opened(path)
    assert raised.value.code == "journal_damaged"
    again = opened(path)
    assert again.read("SELECT name FROM sqlite_master WHERE name = 'later'") == []
    again.close()


def test_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError) as raised:
        opened(path)
    assert raised.value.code == "journal_newer"
    assert path.read_bytes() == before


def test_file_that_is_no_journal_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 1000)
    before = path.read_bytes()
    with pytest.raises(JournalError) as raised:
        opened(path)
    assert raised.value.code == "journal_damaged"
    assert path.read_bytes() == before


def test_torn_file_is_noticed_at_the_start(path: Path) -> None:
    database = opened(path)
    for number in range(200):
        database.write(KEEP, (str(number), "x" * 500))
    database.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    with pytest.raises(JournalError) as raised:
        opened(path)
    assert raised.value.code == "journal_damaged"


def test_place_that_cannot_hold_a_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(JournalError) as raised:
        opened(tmp_path / "nowhere" / "journal.db")
    assert raised.value.code == "journal_damaged"
