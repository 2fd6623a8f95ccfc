"""The store as one object: its tables, the epoch that names this history, and the rows of a decision."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

from dispatch_broker.adapters.store_sqlite.accounts import AccountTable
from dispatch_broker.adapters.store_sqlite.blobs import BlobTable
from dispatch_broker.adapters.store_sqlite.commits import Commits, StoreError
from dispatch_broker.adapters.store_sqlite.edges import EdgeTable
from dispatch_broker.adapters.store_sqlite.invitations import InvitationTable
from dispatch_broker.adapters.store_sqlite.mailboxes import MailboxTable
from dispatch_broker.adapters.store_sqlite.mails import MailTable
from dispatch_broker.adapters.store_sqlite.purge import purge
from dispatch_broker.adapters.store_sqlite.schema import migrate
from dispatch_broker.core.counts import Backlog, Counts
from dispatch_broker.core.effects import (
    BoundEdge,
    CountTask,
    DropBlob,
    KeepBlob,
    KeepCounter,
    KeepEdge,
    KeepInvitation,
    KeepLinks,
    MoveEdge,
    MoveInvitation,
    OpenAccount,
    OweMail,
    PutEnvelope,
    Row,
    SignOut,
)
from dispatch_broker.core.mailbox import Load, Parcel
from dispatch_broker.core.records import Mail
from dispatch_protocol.keys import DeviceId


class SqliteStore:
    """Everything the broker must remember; `fresh_epoch` names this history if it turns out to be a new one.

    An epoch lasts as long as the database goes on. A new database and one that was restored begin another one, and
    devices that notice send again whatever was not confirmed by the other side.
    """

    def __init__(self, path: Path, *, fresh_epoch: str, counts: Counts | None = None) -> None:
        self._path = path
        self._commits = Commits(path, counts or Counts())
        try:
            migrate(self._commits.writer)
            self.epoch = self._settle_epoch(path, fresh_epoch)
        except sqlite3.Error as error:
            self._commits.drop()
            raise StoreError(f"the database cannot be used: {error}") from error
        except StoreError:
            self._commits.drop()
            raise
        self.accounts = AccountTable(self._commits)
        self.edges = EdgeTable(self._commits)
        self.invitations = InvitationTable(self._commits)
        self.mailboxes = MailboxTable(self._commits)
        self.mails = MailTable(self._commits, self.invitations.invitation)
        self.blobs = BlobTable(self._commits)

    def _settle_epoch(self, path: Path, fresh_epoch: str) -> str:
        """Return the epoch that goes on, or begin another: this file stands elsewhere, or is older than was seen."""
        commits, inode = self._commits, str(path.stat().st_ino)
        known = dict(commits.writer.execute("SELECT key, value FROM meta").fetchall())
        latest = commits.generation.settle(known.get("generation"))
        if latest and known.get("inode") == inode:
            return str(known["epoch"])
        commits.writer.execute("BEGIN IMMEDIATE")
        commits.writer.executemany(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [("epoch", fresh_epoch), ("inode", inode)],
        )
        number = commits.generation.count(commits.writer)
        commits.writer.execute("COMMIT")
        commits.generation.keep(number)
        return fresh_epoch

    def perform(self, rows: Iterable[Row], now_ms: int) -> None:
        """Write the rows of one decision into the open transaction; raises StoreError when the disk refuses."""
        with self._guarded():
            for row in rows:
                self._write(row, now_ms)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Give up the open transaction as a whole when one of its statements fails: nothing is half there."""
        try:
            yield
        except sqlite3.Error as error:
            self._commits.abandon(error)
            raise StoreError("the store cannot be written to") from error

    def _write(self, row: Row, now_ms: int) -> None:
        match row:
            case PutEnvelope():
                self.mailboxes.put(row, now_ms)
            case CountTask():
                self.edges.count(row)
            case OpenAccount():
                self.accounts.open(row)
            case KeepLinks():
                self.accounts.keep_links(row)
            case KeepCounter() | SignOut():
                self.accounts.keep_session(row)
            case KeepInvitation() | MoveInvitation():
                self.invitations.write(row)
            case OweMail():
                self.mails.owe(row)
            case KeepEdge():
                self.edges.keep(row, now_ms)
            case MoveEdge():
                self.edges.move(row, now_ms)
            case BoundEdge():
                self.edges.bound(row)
            case KeepBlob() | DropBlob():
                self.blobs.write(row)
            case _ as never:
                assert_never(never)

    def when_durable(self, done: Callable[[bool], None]) -> None:
        """Call `done` once everything written so far is on the disk (True) or lost (False)."""
        self._commits.when_durable(done)

    def waiting(self, device: DeviceId, load: Load) -> list[tuple[Parcel, bytes]]:
        """Return the next envelopes that wait for a device; raises StoreError when the disk cannot be read."""
        try:
            return self.mailboxes.read(device, load)
        except sqlite3.Error as error:
            raise StoreError("the store cannot be read") from error

    def forget(self, device: DeviceId, seqs: Sequence[int]) -> None:
        """Remove what a device acknowledged, at leisure; raises StoreError when the disk refuses."""
        with self._guarded():
            self.mailboxes.forget(device, seqs)

    def settle_mail(self, mail: Mail, due_ms: int | None) -> None:
        """Owe a mail again from `due_ms` on, or no longer; raises StoreError when the disk refuses."""
        with self._guarded():
            self.mails.settle(mail, due_ms)

    def purge(self, now_ms: int) -> int:
        """Delete a bounded batch of what time has taken away; returns how many rows went. Raises StoreError."""
        with self._guarded():
            return purge(self._commits, now_ms)

    def backlog(self) -> Backlog:
        """Sum up what waits in all mailboxes; raises StoreError when the disk cannot be read."""
        try:
            return self.mailboxes.backlog()
        except sqlite3.Error as error:
            raise StoreError("the store cannot be read") from error

    def size_bytes(self) -> dict[str, int]:
        """Return what the database and its log take on the disk."""
        files = {"database": self._path, "log": self._path.with_name(f"{self._path.name}-wal")}
        return {name: path.stat().st_size if path.exists() else 0 for name, path in files.items()}

    def changes(self) -> int:
        """Return a number that is another one whenever somebody else has written to the database."""
        (number,) = self._commits.writer.execute("PRAGMA data_version").fetchone()
        return int(number)

    def close(self) -> None:
        """Commit what is open and close the database."""
        self._commits.close()
