"""Who left which sealed file for whom, and until when; the bytes themselves are files beside the database."""

from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.core.effects import DropBlob, KeepBlob
from dispatch_broker.core.quota import Usage
from dispatch_protocol.keys import Digest, Genesis

_NO = "(SELECT account_no FROM accounts WHERE genesis = ?)"


class BlobTable:
    """One row for each blob, depositor and reader."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def write(self, effect: KeepBlob | DropBlob) -> None:
        """Remember a blob, or forget it as far as it was kept for one reader."""
        if isinstance(effect, KeepBlob):
            self._keep(effect)
        else:
            self._drop(effect)

    def _keep(self, effect: KeepBlob) -> None:
        """Remember a blob; one that is left again lives as long as the later wish says."""
        self._commits.begin().execute(
            "INSERT INTO blobs (address, depositor_no, reader_no, size_bytes, expires_ms)"
            f" VALUES (?, {_NO}, {_NO}, ?, ?) ON CONFLICT DO UPDATE SET expires_ms = max(expires_ms, excluded.expires_ms)",
            (
                effect.address.raw,
                effect.depositor.raw,
                effect.reader.raw,
                effect.size_bytes,
                effect.expires_ms,
            ),
        )

    def _drop(self, effect: DropBlob) -> None:
        self._commits.begin().execute(
            f"DELETE FROM blobs WHERE address = ? AND reader_no = {_NO}",
            (effect.address.raw, effect.reader.raw),
        )

    def kept(self, address: Digest, depositor: Genesis, reader: Genesis) -> bool:
        """Whether this depositor has left this blob for this reader."""
        row = self._commits.writer.execute(
            f"SELECT 1 FROM blobs WHERE address = ? AND depositor_no = {_NO} AND reader_no = {_NO}",
            (address.raw, depositor.raw, reader.raw),
        ).fetchone()
        return row is not None

    def readable(self, address: Digest, caller: Genesis) -> bool:
        """Whether a caller left this blob, or it was left for them."""
        row = self._commits.writer.execute(
            f"SELECT 1 FROM blobs WHERE address = ?1 AND {_NO.replace('?', '?2')} IN (depositor_no, reader_no)",
            (address.raw, caller.raw),
        ).fetchone()
        return row is not None

    def held(self, depositor: Genesis) -> Usage:
        """Return what an account has left here and nobody has fetched yet."""
        row = self._commits.writer.execute(
            f"SELECT count(*), coalesce(sum(size_bytes), 0) FROM blobs WHERE depositor_no = {_NO}",
            (depositor.raw,),
        ).fetchone()
        return Usage(*row)

    def known(self, address: Digest) -> bool:
        """Whether anybody is owed this blob."""
        row = self._commits.writer.execute(
            "SELECT 1 FROM blobs WHERE address = ? LIMIT 1", (address.raw,)
        ).fetchone()
        return row is not None
