"""Accounts, their public chains and their devices."""

from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.core.effects import KeepCounter, KeepLinks, OpenAccount, SignOut
from dispatch_broker.core.quota import Usage
from dispatch_broker.core.records import Account, Standing
from dispatch_protocol.keys import DeviceId, Genesis


class AccountTable:
    """Who has an account here, and what their chains say."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def known(self, genesis: Genesis) -> Account | None:
        """Return the account of an identity."""
        row = self._commits.writer.execute(
            "SELECT address FROM accounts WHERE genesis = ?", (genesis.raw,)
        ).fetchone()
        return None if row is None else Account(genesis, row[0])

    def named(self, address: str) -> Account | None:
        """Return the account of an address."""
        row = self._commits.writer.execute(
            "SELECT genesis FROM accounts WHERE address = ?", (address,)
        ).fetchone()
        return None if row is None else Account(Genesis(row[0]), address)

    def deposited(self, genesis: Genesis) -> Usage:
        """Return what an account deposited and nobody acknowledged yet."""
        row = self._commits.writer.execute(
            "SELECT held_rows, held_bytes FROM accounts WHERE genesis = ?", (genesis.raw,)
        ).fetchone()
        return Usage(*row) if row else Usage(0, 0)

    def links(self, genesis: Genesis) -> tuple[bytes, ...]:
        """Return an identity's public chain, oldest link first; empty when it is not known."""
        rows = self._commits.writer.execute(
            "SELECT document FROM links JOIN accounts USING (account_no) WHERE genesis = ? ORDER BY position",
            (genesis.raw,),
        )
        return tuple(document for (document,) in rows)

    def begun(self, prefix: bytes) -> Genesis | None:
        """Return the one identity whose fingerprint begins like this."""
        rows = self._commits.writer.execute(
            "SELECT genesis FROM accounts WHERE genesis BETWEEN ? AND ? LIMIT 2",
            (prefix, prefix + b"\xff" * (Genesis.LENGTH - len(prefix))),
        ).fetchall()
        return Genesis(rows[0][0]) if len(rows) == 1 else None

    def owner(self, device: DeviceId) -> Genesis | None:
        """Return whose device this is, active or not."""
        row = self._commits.writer.execute(
            "SELECT genesis FROM devices JOIN accounts USING (account_no) WHERE device = ?", (device.raw,)
        ).fetchone()
        return None if row is None else Genesis(row[0])

    def counter(self, device: DeviceId) -> int:
        """Return the counter of the last session that a device opened, 0 before the first."""
        row = self._commits.writer.execute(
            "SELECT counter FROM devices WHERE device = ?", (device.raw,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def standing(self, address: str) -> Standing | None:
        """Return what the operator decided about an address."""
        row = self._commits.writer.execute(
            "SELECT standing FROM users WHERE address = ?", (address,)
        ).fetchone()
        return None if row is None else Standing(row[0])

    def is_signed_out(self, device: DeviceId) -> bool:
        """Whether a device has signed out since its last session."""
        row = self._commits.writer.execute(
            "SELECT 1 FROM devices WHERE device = ? AND signed_out", (device.raw,)
        ).fetchone()
        return row is not None

    def served(self, device: DeviceId) -> Account | None:
        """Return whose device this is, if it stands in its chain, is signed in, and its person is not disabled."""
        row = self._commits.writer.execute(
            "SELECT genesis, accounts.address FROM devices JOIN accounts USING (account_no)"
            " LEFT JOIN users USING (address)"
            " WHERE device = ? AND active AND NOT signed_out AND standing IS NOT ?",
            (device.raw, Standing.DISABLED),
        ).fetchone()
        return None if row is None else Account(Genesis(row[0]), row[1])

    def open(self, effect: OpenAccount) -> None:
        """Add an account."""
        self._commits.begin().execute(
            "INSERT INTO accounts (genesis, address, opened_ms) VALUES (?, ?, ?)",
            (effect.account.genesis.raw, effect.account.address, effect.at_ms),
        )

    def keep_links(self, effect: KeepLinks) -> None:
        """Let a chain go on from a place; devices that are not active any more lose what waits for them."""
        writer = self._commits.begin()
        (account_no,) = writer.execute(
            "SELECT account_no FROM accounts WHERE genesis = ?", (effect.genesis.raw,)
        ).fetchone()
        writer.execute("DELETE FROM links WHERE account_no = ? AND position >= ?", (account_no, effect.first))
        writer.executemany(
            "INSERT INTO links (account_no, position, document) VALUES (?, ?, ?)",
            [(account_no, effect.first + step, link) for step, link in enumerate(effect.links)],
        )
        writer.execute("UPDATE devices SET active = 0 WHERE account_no = ?", (account_no,))
        writer.executemany(
            "INSERT INTO devices (device, account_no, active) VALUES (?, ?, 1)"
            " ON CONFLICT (device) DO UPDATE SET active = 1",
            [(device.raw, account_no) for device in effect.devices],
        )
        writer.execute(
            "DELETE FROM mailboxes WHERE device_no IN"
            " (SELECT device_no FROM devices WHERE account_no = ? AND active = 0)",
            (account_no,),
        )

    def keep_session(self, effect: KeepCounter | SignOut) -> None:
        """Remember that a device opened a session, with its counter; or that its next one asks for a login again."""
        writer = self._commits.begin()
        if isinstance(effect, SignOut):
            writer.execute("UPDATE devices SET signed_out = 1 WHERE device = ?", (effect.device.raw,))
            return
        writer.execute(
            "UPDATE devices SET counter = ?, signed_out = 0 WHERE device = ?",
            (effect.counter, effect.device.raw),
        )
