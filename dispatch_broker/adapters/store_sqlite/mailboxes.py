"""Mailboxes: which envelope waits for which device, in the order it came."""

from collections.abc import Sequence

from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.core.counts import Backlog
from dispatch_broker.core.effects import PutEnvelope
from dispatch_broker.core.mailbox import Load, Parcel
from dispatch_broker.core.quota import Usage
from dispatch_broker.core.routing import Mailbox
from dispatch_protocol.keys import DeviceId, Digest, Genesis


class MailboxTable:
    """Envelopes on their way, each stored once however many devices it is for."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def look(self, devices: Sequence[DeviceId], digest: Digest) -> tuple[Mailbox, ...]:
        """Return what decides on a deposit of this digest for each of these devices."""
        return tuple(self._look(device, digest) for device in devices)

    def _look(self, device: DeviceId, digest: Digest) -> Mailbox:
        row = self._commits.writer.execute(
            "SELECT owner.genesis, d.held_rows, d.held_bytes, depositor.genesis FROM devices AS d"
            " JOIN accounts AS owner USING (account_no)"
            " LEFT JOIN mailboxes AS m ON m.device_no = d.device_no AND m.digest = ?"
            " LEFT JOIN accounts AS depositor ON depositor.account_no = m.depositor_no"
            " WHERE d.device = ? AND d.active",
            (digest.raw, device.raw),
        ).fetchone()
        if row is None:
            return Mailbox(device, None, Usage(0, 0), None)
        owner, held_rows, held_bytes, depositor = row
        holds_from = None if depositor is None else Genesis(depositor)
        return Mailbox(device, Genesis(owner), Usage(held_rows, held_bytes), holds_from)

    def put(self, effect: PutEnvelope, now_ms: int) -> None:
        """Store an envelope and give it its place in each mailbox."""
        writer = self._commits.begin()
        envelope_no = writer.execute(
            "INSERT INTO envelopes (raw, arrived_ms) VALUES (?, ?)", (effect.raw, now_ms)
        ).lastrowid
        for device in effect.devices:
            device_no, seq = writer.execute(
                "UPDATE devices SET last_seq = last_seq + 1 WHERE device = ? RETURNING device_no, last_seq",
                (device.raw,),
            ).fetchone()
            writer.execute(
                "INSERT INTO mailboxes (device_no, seq, envelope_no, depositor_no, digest, size_bytes, ttl_ms)"
                " VALUES (?, ?, ?, (SELECT account_no FROM accounts WHERE genesis = ?), ?, ?, ?)",
                (
                    device_no,
                    seq,
                    envelope_no,
                    effect.depositor.raw,
                    effect.digest.raw,
                    len(effect.raw),
                    effect.ttl_ms,
                ),
            )

    def read(self, device: DeviceId, load: Load) -> list[tuple[Parcel, bytes]]:
        """Return the next waiting envelopes that are on the disk for good, at least one if there is any."""
        rows = self._commits.reader.execute(
            "SELECT seq, size_bytes, raw FROM mailboxes JOIN envelopes USING (envelope_no)"
            " WHERE device_no = (SELECT device_no FROM devices WHERE device = ?) AND seq > ?"
            " ORDER BY seq LIMIT ?",
            (device.raw, load.after_seq, load.rows),
        )
        parcels: list[tuple[Parcel, bytes]] = []
        room_bytes = load.size_bytes
        for seq, size_bytes, raw in rows:
            if parcels and size_bytes > room_bytes:
                break
            room_bytes -= size_bytes
            parcels.append((Parcel(seq, size_bytes), raw))
        rows.close()
        return parcels

    def backlog(self) -> Backlog:
        """Sum up what waits for everybody; reads a small row for each device, so it is for now and then."""
        mailboxes, rows, size_bytes, deepest_rows = self._commits.reader.execute(
            "SELECT count(*), coalesce(sum(held_rows), 0), coalesce(sum(held_bytes), 0), coalesce(max(held_rows), 0)"
            " FROM devices WHERE held_rows > 0"
        ).fetchone()
        oldest = self._commits.reader.execute(
            "SELECT arrived_ms FROM envelopes ORDER BY envelope_no LIMIT 1"
        ).fetchone()
        return Backlog(
            mailboxes=mailboxes,
            rows=rows,
            size_bytes=size_bytes,
            deepest_rows=deepest_rows,
            oldest_ms=oldest[0] if oldest and oldest[0] else None,
        )

    def forget(self, device: DeviceId, seqs: Sequence[int]) -> None:
        """Remove what a device acknowledged; nobody waits for that to be on the disk."""
        self._commits.begin(hurry=False).executemany(
            "DELETE FROM mailboxes WHERE device_no = (SELECT device_no FROM devices WHERE device = ?) AND seq = ?",
            [(device.raw, seq) for seq in seqs],
        )
