"""What an operator does about people: admit, list, disable and remove them, in the data directory, while a broker serves.

It writes in short transactions beside the broker's own, which SQLite keeps apart. It never changes a database that a
running broker of another version has open.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dispatch_broker.adapters.store_sqlite.commits import StoreError
from dispatch_broker.adapters.store_sqlite.schema import MIGRATIONS, migrate
from dispatch_broker.core.accounts import normal_address
from dispatch_broker.core.records import InvitationStatus, Standing

_WAIT_S = 10.0
_REMOVAL = (
    "DELETE FROM mailboxes WHERE depositor_no = :no",
    "DELETE FROM mailboxes WHERE device_no IN (SELECT device_no FROM devices WHERE account_no = :no)",
    "DELETE FROM blobs WHERE depositor_no = :no OR reader_no = :no",
    "DELETE FROM tallies WHERE edge_no IN (SELECT edge_no FROM edges WHERE giver_no = :no OR trustor_no = :no)",
    "DELETE FROM edges WHERE giver_no = :no OR trustor_no = :no",
    "DELETE FROM invitations WHERE inviter_no = :no OR (to_address = :address AND status <> :pending)",
    "DELETE FROM links WHERE account_no = :no",
    "DELETE FROM devices WHERE account_no = :no",
    "DELETE FROM accounts WHERE account_no = :no",
)
_LISTING = (
    "SELECT address, standing, genesis, opened_ms, since_ms,"
    " (SELECT count(*) FROM devices WHERE devices.account_no = accounts.account_no AND active)"
    " FROM (SELECT address FROM accounts UNION SELECT address FROM users)"
    " LEFT JOIN accounts USING (address) LEFT JOIN users USING (address) ORDER BY address"
)


class UserError(Exception):
    """Nothing was changed; the sentence says why and what to do, `hint` what to type."""

    def __init__(
        self, words: str, *, code: str = "user_refused", hint: str = "dispatch-broker user list"
    ) -> None:
        super().__init__(words)
        self.code = code
        self.hint = hint


@dataclass(frozen=True, slots=True)
class User:
    """One address: `admitted` and not here yet, `active` with an account, or `disabled`."""

    address: str
    status: str
    identity: str | None
    devices: int
    since_ms: int


class UserDesk:
    """The people of one data directory; used in a `with`.

    Only one that `begins` makes the database that is not there yet: whoever admits people before a broker ever served.
    For everybody else a directory without one is a slip of the pen, and an empty answer from it would be a lie.
    """

    def __init__(self, data: Path, *, begins: bool = False) -> None:
        self._data = data
        self._begins = begins
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Open the database; raises UserError for a directory of another user, or without one."""
        with contextlib.ExitStack() as opened:
            if not self._begins and not (self._data / "broker.db").is_file():
                raise UserError(
                    f"no broker has its data in {self._data}: it holds no broker.db",
                    code="no_broker",
                    hint="dispatch-broker user list --data DIR, the one that `dispatch-broker serve` was given",
                )
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._data.stat().st_uid != os.geteuid():
                raise UserError(
                    f"{self._data} belongs to another user; run this as the one who runs the broker"
                )
            path = self._data / "broker.db"
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)
            self._database = opened.enter_context(contextlib.closing(connection))
            self._database.execute("PRAGMA foreign_keys = ON")
            self._bring_up_to_date()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _bring_up_to_date(self) -> None:
        """Use the database as it is while a broker serves, and bring it up to date while none does."""
        descriptor = os.open(self._data / "broker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            migrate(self._database)
        except BlockingIOError:
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version != len(MIGRATIONS):
                raise UserError(
                    "the broker that serves here is of another version; restart it first"
                ) from None
        except StoreError as error:
            raise UserError(str(error)) from error
        finally:
            os.close(descriptor)

    def add(self, email: str) -> User:
        """Admit an address whatever `--signup` says; a disabled one is let in again."""
        return self._decide(email, Standing.ADMITTED)

    def disable(self, email: str) -> User:
        """Let nobody with this address in, and end the sessions there are; the account stays."""
        return self._decide(email, Standing.DISABLED)

    def remove(self, email: str) -> User:
        """Forget an address and its account: identity, devices, edges, and what waits for it or came from it."""
        user = self._found(address_of(email))
        with self._writing():
            row = self._database.execute(
                "SELECT account_no FROM accounts WHERE address = ?", (user.address,)
            ).fetchone()
            values = {"no": row and row[0], "address": user.address, "pending": InvitationStatus.PENDING}
            for statement in _REMOVAL if row is not None else ():
                self._database.execute(statement, values)
            self._database.execute("DELETE FROM users WHERE address = ?", (user.address,))
        return User(user.address, "removed", user.identity, 0, user.since_ms)

    def users(self) -> list[User]:
        """Return everybody, by address."""
        return [_user(*row) for row in self._database.execute(_LISTING)]

    def _decide(self, email: str, standing: Standing) -> User:
        address = address_of(email)
        with self._writing():
            self._database.execute(
                "INSERT INTO users (address, standing, since_ms) VALUES (?, ?, ?)"
                " ON CONFLICT (address) DO UPDATE SET standing = excluded.standing, since_ms = excluded.since_ms",
                (address, standing, time.time_ns() // 1_000_000),
            )
        return self._found(address)

    def _found(self, address: str) -> User:
        for user in self.users():
            if user.address == address:
                return user
        raise UserError(f"nobody is known here as {address}")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Write all of it, or nothing."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def address_of(email: str) -> str:
    """Return the one spelling of an address; raises UserError if it is none."""
    address = normal_address(email)
    if address is None:
        raise UserError(f"{email[:100]!r} is not an address like alice@example.org")
    return address


def _user(
    address: str,
    standing: str | None,
    genesis: bytes | None,
    opened_ms: int | None,
    since_ms: int | None,
    devices: int,
) -> User:
    status = "disabled" if standing == Standing.DISABLED else "active" if genesis is not None else "admitted"
    moment = since_ms if standing == Standing.DISABLED or opened_ms is None else opened_ms
    return User(address, status, None if genesis is None else genesis.hex(), devices, moment or 0)
