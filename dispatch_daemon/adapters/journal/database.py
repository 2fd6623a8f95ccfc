"""One SQLite connection with group commit: many decisions share one fsync, and none is answered before it.

A write opens a transaction if none is open and schedules its commit for the end of the event loop's turn.
Whoever must not speak before the disk has it awaits `committed()`. While one commit waits for the disk, the
next batch gathers by itself. What nobody waits for, and what would only be done again if it were lost, is
written `at_leisure`: it rides the next commit, or makes one itself a little later.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.journal.schema import MIGRATIONS
from dispatch_protocol.errors import LocalError

_LEISURE_S = 0.05
log = logging.getLogger("dispatch.journal")


class JournalError(LocalError):
    """The journal cannot be read or written; nothing was changed. `code` is a stable word."""


class Database:
    """The journal's connection, used only from the event loop's thread.

    Raises:
        JournalError: `journal_newer` if a later version wrote the file, `journal_damaged` if it is not sound;
            from everything that writes `disk_full`, and then nothing of the batch was kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiters: list[asyncio.Future[None]] = []
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._hurry = True
        self._depth = 0
        self._lost: JournalError | None = None
        self.undone = 0  # how often writes were taken back: what was remembered of them is void
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
        except sqlite3.DatabaseError as error:
            raise _damaged(path, error) from error
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise _damaged(path, error) from error
        except JournalError:
            self._connection.close()
            raise

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
        return self._run(sql, parameters).rowcount

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the writes inside the block all happen or none, whatever else shares the commit."""
        self._begin()
        name = f"step{self._depth}"
        self._run(f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
        except BaseException:
            self.undone += 1
            if self._connection.in_transaction:
                self._connection.execute(f"ROLLBACK TO {name}")
                self._connection.execute(f"RELEASE {name}")
            raise
        else:
            self._run(f"RELEASE {name}")
        finally:
            self._depth -= 1

    @contextmanager
    def at_leisure(self) -> Iterator[None]:
        """Let the writes inside the block ask for no commit of their own; without an `await` inside."""
        before, self._hurry = self._hurry, False
        try:
            yield
        finally:
            self._hurry = before

    async def committed(self) -> None:
        """Return once everything written so far is on disk."""
        if self._soon is None and self._later is None:
            return
        self._schedule()  # somebody waits now
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement. When the disk is full SQLite gives up the whole batch, and with it what others wrote."""
        shared = self._connection.in_transaction
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
                raise  # the statement is wrong, not the disk
            failure = _unwritable(error)
            if shared and not self._connection.in_transaction:
                self._lost = failure
                self.undone += 1
            raise failure from error

    def _begin(self) -> None:
        if self._lost is not None:
            raise self._lost  # until those who share the batch have been told
        if not self._connection.in_transaction:
            self._run("BEGIN IMMEDIATE")
        self._schedule(hurry=self._hurry)

    def _schedule(self, *, hurry: bool = True) -> None:
        """See that the open transaction is committed: in this turn of the loop, or, unhurried, a little later."""
        if self._soon is not None or (self._later is not None and not hurry):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # outside a loop (start and stop): the caller commits
            return
        if hurry:
            self._soon = loop.call_soon(self._commit_by_itself)
        else:
            self._later = loop.call_later(_LEISURE_S, self._commit_by_itself)

    def _commit_by_itself(self) -> None:
        """Commit what is open. Without a waiter nobody hears of a failure but the log and who looks at `undone`."""
        try:
            self.commit()
        except JournalError as error:
            log.error("what nobody waited for is not on the disk: %s", error)  # noqa: TRY400 - no mistake of ours to trace

    def commit(self) -> None:
        """Put the open transaction on disk and release whoever waits for it.

        Raises `JournalError` if it could not be written and nobody waits, who would be told instead.
        """
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()
        self._soon = self._later = None
        waiters, self._waiters = self._waiters, []
        failure, self._lost = self._lost, None  # a batch that was lost has been said to whoever wrote last
        if failure is None and self._connection.in_transaction:
            failure = self._commit()
            if failure is not None and not waiters:
                raise failure
        for waiter in waiters:
            if waiter.done():
                continue
            if failure is not None:
                waiter.set_exception(failure)
            else:
                waiter.set_result(None)

    def _commit(self) -> JournalError | None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.undone += 1
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return _unwritable(error)
        return None

    def close(self) -> None:
        """Commit what is open and close the file."""
        try:
            self.commit()
        finally:
            self._connection.close()


def _damaged(path: Path, error: sqlite3.Error) -> JournalError:
    return JournalError("journal_damaged", f"{path.name} cannot be opened: {error}")


def _unwritable(error: sqlite3.Error) -> JournalError:
    return JournalError("disk_full", f"the journal could not be written: {error}")
