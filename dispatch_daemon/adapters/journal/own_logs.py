"""The logs of one's own devices as the journal holds them: how far each is followed, what is told again, and what was decided.

How far a log is followed is kept as one row for each device and moved on with each document, so that a telling costs the same
whether ten documents are held or a million. A document that nobody can lack any more keeps its place and loses its words.
"""

from typing import Final

from dispatch_daemon.adapters.journal import rows
from dispatch_daemon.adapters.journal.database import Database
from dispatch_daemon.core.own_log import is_base
from dispatch_daemon.core.shared_records import ActRecord, HouseholdRecord

Head = tuple[str, int, str, int]  # device, seq, digest, at_ms
_NOTHING: Final = (0, "", 0)


class OwnLogs:
    """Reads and moves on the logs of one's own devices; their documents are written with the decision that they belong to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- documents -------------------------------------------------------------------------------------

    def document(self, digest: str) -> HouseholdRecord | None:
        """Return a document, or from where a log is followed, by its digest."""
        table = rows.HOUSEHOLD
        found = self._database.read(f"{table.select} WHERE digest = ?", (digest,))
        return table.record(found[0]) if found else None

    def held(self, device: str, seq: int) -> str | None:
        """Return the digest of the document that is held in one place of a device's log, or None if none is."""
        return next((digest for digest, _ in self._places(device, seq)), None)

    def named_before(self, device: str, seq: int) -> str | None:
        """Return which document the one in this place of a log names as the one before it, or None if none is held."""
        sql = "SELECT prev FROM household WHERE device = ? AND seq = ? AND digest NOT GLOB 'base *'"
        return next((str(prev) for (prev,) in self._database.read(sql, (device, seq))), None)

    def heads(self) -> list[Head]:
        """Return the last document of each log, as far as none before it is missing."""
        return [
            (str(device), int(seq), str(digest), int(at_ms))
            for device, seq, digest, at_ms in self._database.read(
                "SELECT device, seq, digest, at_ms FROM followed ORDER BY device"
            )
        ]

    def said(self, device: str, from_seq: int, until_ms: int, limit: int) -> list[bytes]:
        """Return the documents of a device's log from a place on, as they were signed, that were made by then."""
        sql = (
            "SELECT signed FROM household WHERE device = ? AND seq >= ? AND at_ms <= ? AND length(signed) > 0"
            " ORDER BY seq LIMIT ?"
        )
        return [signed for (signed,) in self._database.read(sql, (device, from_seq, until_ms, limit))]

    def move_on(self, record: HouseholdRecord) -> None:
        """Follow a log as far as it is whole, now that this has been written; a base says from where."""
        if is_base(record):
            seq, digest, at_ms = record.seq, record.prev or record.digest, record.at_ms
        else:
            seq, digest, at_ms = self._followed(record.device)
            if record.seq != seq + 1:
                return
        while (after := self._places(record.device, seq + 1)) != []:
            seq, (digest, at_ms) = seq + 1, after[0]
        self._database.write(
            "INSERT INTO followed (device, seq, digest, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT (device)"
            " DO UPDATE SET seq = excluded.seq, digest = excluded.digest, at_ms = excluded.at_ms",
            (record.device, seq, digest, at_ms),
        )

    def forget_words(self, device: str, until_seq: int, until_ms: int) -> int:
        """Let the documents of a log up to a place, made by then, lose their words; their places stay. Returns how many did."""
        return self._database.write(
            "UPDATE household SET signed = x'' WHERE device = ? AND seq <= ? AND at_ms <= ? AND length(signed) > 0",
            (device, until_seq, until_ms),
        )

    def _followed(self, device: str) -> tuple[int, str, int]:
        sql = "SELECT seq, digest, at_ms FROM followed WHERE device = ?"
        found = self._database.read(sql, (device,))
        return (int(found[0][0]), str(found[0][1]), int(found[0][2])) if found else _NOTHING

    def _places(self, device: str, seq: int) -> list[tuple[str, int]]:
        sql = "SELECT digest, at_ms FROM household WHERE device = ? AND seq = ? AND digest NOT GLOB 'base *'"
        return [(str(digest), int(at_ms)) for digest, at_ms in self._database.read(sql, (device, seq))]

    # -- what was decided ------------------------------------------------------------------------------

    def acts(self, device: str, from_seq: int = 1, to_seq: int = 2**53) -> list[ActRecord]:
        """Return what a device has entered in its private log, in order."""
        table = rows.ACTS
        clause = "WHERE device = ? AND seq BETWEEN ? AND ? ORDER BY seq"
        found = self._database.read(f"{table.select} {clause}", (device, from_seq, to_seq))
        return [table.record(row) for row in found]

    def acts_size(self, device: str) -> int:
        """Return the number of the last entry of a device's private log, by index."""
        ((last,),) = self._database.read("SELECT max(seq) FROM acts WHERE device = ?", (device,))
        return int(last or 0)

    def acting(self) -> list[str]:
        """Return the devices whose private logs are known here."""
        return [
            str(device)
            for (device,) in self._database.read("SELECT DISTINCT device FROM acts ORDER BY device")
        ]
