"""The scheduler over a real journal that cannot be written for a while: it goes on afterwards, and nothing is lost."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch_daemon.adapters.journal import Journal, Task
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.scheduler import Scheduler
from dispatch_daemon.core.effects import Plan, TaskKind, Unplan
from tests.support.patience import eventually

KIND = TaskKind.EXPIRE


class Scheduled:
    """A scheduler with one kind of task, whose handler does what it is told."""

    def __init__(self, home: Path, kind: TaskKind = KIND) -> None:
        self.home = home
        self.kind = kind
        self.journal = Journal(home / "journal.db", boot="this")
        self.journal.database.read("PRAGMA busy_timeout = 0")
        self.clock = Clock(self.journal)
        self.done: list[str] = []
        self.tried = 0
        self.writable = asyncio.Event()
        self.writable.set()
        self.scheduler = Scheduler(self.journal, self.clock, {kind: self.handle})

    async def handle(self, task: Task) -> None:
        self.tried += 1
        await self.writable.wait()
        self.journal.tasks.unplan(Unplan(self.kind, task.key))
        await self.journal.database.committed()
        self.done.append(task.key)

    async def plan(self, key: str) -> None:
        self.journal.tasks.plan(Plan(kind=self.kind, key=key, not_before_ms=0, payload={}))
        await self.journal.database.committed()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let another program hold the journal's lock for the length of a block."""
        with contextlib.closing(sqlite3.connect(self.home / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    @contextlib.contextmanager
    def lost(self, change: str) -> Iterator[None]:
        """Let every commit that holds such a change of a task fail, and nothing before the commit."""
        with contextlib.closing(sqlite3.connect(self.home / "journal.db", isolation_level=None)) as other:
            other.execute("CREATE TABLE pointer (x TEXT REFERENCES meta (key) DEFERRABLE INITIALLY DEFERRED)")
            other.execute(f"CREATE TRIGGER lose {change} BEGIN INSERT INTO pointer VALUES ('nowhere'); END")
            yield
            other.execute("PRAGMA busy_timeout = 2000")
            other.execute("DROP TRIGGER lose")

    def owed(self) -> list[str]:
        """Return what another reader of the file finds owed."""
        with contextlib.closing(sqlite3.connect(self.home / "journal.db")) as other:
            return [key for (key,) in other.execute("SELECT key FROM tasks")]


class Unhurried(Scheduled):
    """One whose handler, as after a deposit, waits for no commit of what it wrote."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, TaskKind.DEPOSIT)

    async def handle(self, task: Task) -> None:
        await self.journal.database.committed()  # its taking is on the disk before the relay has answered
        with self.journal.database.at_leisure():
            self.settle(task)
        self.done.append(task.key)

    def settle(self, task: Task) -> None:
        self.journal.tasks.unplan(Unplan(self.kind, task.key))


class Postponing(Unhurried):
    """One whose first try finds no relay."""

    def settle(self, task: Task) -> None:
        if self.done:
            super().settle(task)
        else:
            self.journal.tasks.retry(task, 2**51)


async def test_task_that_cannot_be_taken_up_is_taken_up_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Scheduled(tmp_path)
    await one.plan("a")
    with one.held():
        running = asyncio.create_task(one.scheduler.run())
        await eventually(lambda: "cannot be written" in caplog.text or running.done())
    one.scheduler.wake()
    await eventually(lambda: one.done == ["a"] or running.done())
    assert one.done == ["a"]
    await one.scheduler.stop()
    await running
    one.journal.database.close()


async def test_task_that_cannot_be_given_back_is_given_back_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Scheduled(tmp_path)
    one.writable.clear()
    await one.plan("a")
    running = asyncio.create_task(one.scheduler.run())
    await eventually(lambda: one.tried == 1)
    await one.journal.database.committed()  # it is taken; now its handler finds the journal held
    with one.held():
        one.writable.set()
        await eventually(lambda: "it stays owed" in caplog.text)
        await asyncio.sleep(0)
    monkeypatch.setattr(one.clock, "now_ms", lambda: 2**52)  # the pause before a second try is over
    one.scheduler.wake()
    await eventually(lambda: one.done == ["a"])
    await one.scheduler.stop()
    await running
    one.journal.database.close()


async def test_task_whose_taking_is_lost_is_not_begun(tmp_path: Path) -> None:
    """Else it is due while it is done already, and a run would be conducted twice."""
    one = Scheduled(tmp_path)
    one.writable.clear()
    await one.plan("a")
    with one.lost("AFTER UPDATE ON tasks WHEN NEW.state = 'taken'"):
        running = asyncio.create_task(one.scheduler.run())
        await eventually(lambda: one.journal.database.undone > 0 or running.done())
        assert one.tried == 0
    one.scheduler.wake()
    await eventually(lambda: one.tried > 0)
    one.writable.set()
    await eventually(lambda: one.done == ["a"])
    assert one.tried == 1
    await one.scheduler.stop()
    await running
    one.journal.database.close()


@pytest.mark.parametrize(
    ("kind", "change"),
    [(Unhurried, "AFTER DELETE ON tasks"), (Postponing, "AFTER UPDATE ON tasks WHEN NEW.state = 'due'")],
)
async def test_what_a_handler_wrote_at_leisure_and_the_disk_lost_is_done_again(
    tmp_path: Path, kind: type[Unhurried], change: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = kind(tmp_path)
    await one.plan("a")
    with one.lost(change):
        running = asyncio.create_task(one.scheduler.run())
        await eventually(lambda: one.journal.database.undone > 0 or running.done())
    one.scheduler.wake()
    await eventually(lambda: not one.owed())
    assert one.done[:2] == ["a", "a"]
    assert "nobody waited for" in caplog.text
    assert "Exception in callback" not in caplog.text
    await one.scheduler.stop()
    await running
    one.journal.database.close()
