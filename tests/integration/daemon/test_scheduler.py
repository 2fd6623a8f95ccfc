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

    def __init__(self, home: Path) -> None:
        self.home = home
        self.journal = Journal(home / "journal.db", boot="this")
        self.journal.database.read("PRAGMA busy_timeout = 0")
        self.clock = Clock(self.journal)
        self.done: list[str] = []
        self.tried = 0
        self.writable = asyncio.Event()
        self.writable.set()
        self.scheduler = Scheduler(self.journal, self.clock, {KIND: self.handle})

    async def handle(self, task: Task) -> None:
        self.tried += 1
        await self.writable.wait()
        self.journal.tasks.unplan(Unplan(KIND, task.key))
        await self.journal.database.committed()
        self.done.append(task.key)

    async def plan(self, key: str) -> None:
        self.journal.tasks.plan(Plan(kind=KIND, key=key, not_before_ms=0, payload={}))
        await self.journal.database.committed()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let another program hold the journal's lock for the length of a block."""
        with contextlib.closing(sqlite3.connect(self.home / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")


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
