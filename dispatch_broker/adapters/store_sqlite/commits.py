"""Group commit: rows are written at once into the open transaction, and one callback of the event loop commits it.

While a commit waits for the disk, the next group gathers in the sockets; so the more there is to do, the more one
flush carries, and an idle broker waits for nobody. What nobody waits for (acknowledged rows going away) rides the next
commit, or makes one itself a little later.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from dispatch_broker.adapters.store_sqlite.generation import Generation
from dispatch_broker.core.counts import Counts

_LINGER_S = 0.05
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA cache_size = -4096",
    "PRAGMA temp_store = MEMORY",
)

_log = logging.getLogger(__name__)


class StoreError(Exception):
    """The store cannot be opened, read or written; the sentence says why."""


class Commits:
    """One writing connection, one reading connection that sees only what is durable, and who waits for the disk.

    Needs a running event loop whenever it is written to.
    """

    def __init__(self, path: Path, counts: Counts) -> None:
        self._counts = counts
        self._waiting: list[Callable[[bool], None]] = []
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        with contextlib.ExitStack() as opened:
            try:
                path.touch(mode=0o600)  # its log files take their permissions from it
                self.generation = Generation(path.with_suffix(".generation"))
                opened.callback(self.generation.close)
                self.writer = opened.enter_context(contextlib.closing(_connect(path, "rwc")))
                for pragma in _PRAGMAS:
                    self.writer.execute(pragma)
                self.reader = opened.enter_context(contextlib.closing(_connect(path, "ro")))
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"the database cannot be opened: {error}") from error
            self._opened = opened.pop_all()

    def begin(self, *, hurry: bool = True) -> sqlite3.Connection:
        """Return the writing connection inside a transaction that will be committed soon, or, unhurried, later."""
        if not self.writer.in_transaction:
            self.writer.execute("BEGIN IMMEDIATE")
        loop = asyncio.get_running_loop()
        if hurry and self._soon is None:
            self._soon = loop.call_soon(self.commit)
        elif not hurry and self._soon is None and self._later is None:
            self._later = loop.call_later(_LINGER_S, self.commit)
        return self.writer

    def when_durable(self, done: Callable[[bool], None]) -> None:
        """Call `done(True)` once everything written so far is on the disk, or `done(False)` when it is lost."""
        if not self.writer.in_transaction:
            done(True)
            return
        self._waiting.append(done)
        self.begin()  # somebody waits now: a lingering transaction is committed at once

    def commit(self) -> None:
        """Commit the open transaction, if any, and tell everybody who waits."""
        try:
            if self.writer.in_transaction:
                began_s = perf_counter()
                number = self.generation.count(self.writer)
                self.writer.execute("COMMIT")
                self.generation.keep(number)
                self._counts.commit_s.add(perf_counter() - began_s)
                self._counts.commit_waiters.add(len(self._waiting))
        except sqlite3.Error as error:
            self.abandon(error)
        else:
            self._settle(durable=True)

    def abandon(self, error: sqlite3.Error) -> None:
        """Roll the open transaction back because the disk refused it, and tell everybody who waits."""
        self._counts.commits_lost += 1
        _log.error("store_failed", extra={"fields": {"reason": getattr(error, "sqlite_errorname", "")}})
        if self.writer.in_transaction:
            self.writer.execute("ROLLBACK")
        self._settle(durable=False)

    def drop(self) -> None:
        """Close both connections without keeping anything: the database turned out not to be usable."""
        self._opened.close()

    def close(self) -> None:
        """Commit what is open and close both connections; the log file is folded into the database."""
        self.commit()
        self._opened.close()

    def _settle(self, *, durable: bool) -> None:
        """Forget the timers of a transaction that is over and call those who waited for it, in order."""
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()
        self._soon = self._later = None
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(durable)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a connection that leaves transactions to us."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=1.0
    )
