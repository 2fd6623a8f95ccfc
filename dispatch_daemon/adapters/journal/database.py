"""One SQLite connection with group commit: many decisions share one fsync, and none is answered before it.

A write opens a transaction if none is open and schedules its commit for the end of the event loop's turn.
Whoever must not speak before the disk has it awaits `committed()`. There is no timer: while one commit
waits for the disk, the next batch gathers by itself.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.journal.schema import MIGRATIONS


class JournalError(Exception):
    """The journal cannot be read or written; nothing was changed. `code` is a stable word."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Database:
    """The journal's connection, used only from the event loop's thread.

    Raises:
        JournalError: `journal_newer` if a later version wrote the file, `journal_damaged` if it is not sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiters: list[asyncio.Future[None]] = []
        self._scheduled = False
        self._depth = 0
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise JournalError("journal_damaged", f"{path.name} cannot be opened: {error}") from error

    def _prepare(self) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "wal_autocheckpoint = 1000",
            "busy_timeout = 2000",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise JournalError(
                "journal_newer",
                f"{self.path.name} was written by a newer version (schema {version}, this one knows {len(MIGRATIONS)})",
            )
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
        (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise JournalError("journal_damaged", f"{self.path.name} is damaged: {verdict}")

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; it sees what the open transaction has written."""
        return self._connection.execute(sql, parameters).fetchall()

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement inside the open transaction (opening it) and return how many rows it changed."""
        self._begin()
        return self._connection.execute(sql, parameters).rowcount

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the writes inside the block all happen or none, whatever else shares the commit."""
        self._begin()
        name = f"step{self._depth}"
        self._depth += 1
        self._connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self._connection.execute(f"ROLLBACK TO {name}")
            raise
        finally:
            self._depth -= 1
            self._connection.execute(f"RELEASE {name}")

    async def committed(self) -> None:
        """Return once everything written so far is on disk."""
        if not self._scheduled:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        if not self._scheduled:
            try:
                asyncio.get_running_loop().call_soon(self.commit)
            except RuntimeError:  # outside a loop (start and stop): the caller commits
                return
            self._scheduled = True

    def commit(self) -> None:
        """Put the open transaction on disk and release whoever waits for it."""
        self._scheduled = False
        waiters, self._waiters = self._waiters, []
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            failure = JournalError("disk_full", f"the journal could not be written: {error}")
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(failure)
            if not waiters:
                raise failure from error
            return
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def close(self) -> None:
        """Commit what is open and close the file."""
        self.commit()
        self._connection.close()
