"""What time takes away: expired envelopes, yesterday's tallies, invitations and edges that ended long ago.

A batch is bounded, because it runs between people's frames on the same connection; what is left over waits for the
next round.
"""

from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.core.records import EdgeStatus, InvitationStatus
from dispatch_broker.core.routing import DAY_MS

BATCH = 1_000
_KEEP_ENDED_MS = 30 * DAY_MS


def purge(commits: Commits, now_ms: int) -> int:
    """Delete at most one batch of each kind of leftover; returns how many rows went."""
    writer = commits.begin(hurry=False)
    before = writer.total_changes
    writer.execute(
        "DELETE FROM mailboxes WHERE (device_no, seq) IN"
        " (SELECT device_no, seq FROM mailboxes WHERE ttl_ms <= ? LIMIT ?)",
        (now_ms, BATCH),
    )
    writer.execute(
        "DELETE FROM tallies WHERE (edge_no, ordinal) IN (SELECT edge_no, ordinal FROM tallies"
        " WHERE edge_no IN (SELECT edge_no FROM edges) AND at_ms <= ? LIMIT ?)",
        (now_ms - DAY_MS, BATCH),
    )
    writer.execute(
        "DELETE FROM blobs WHERE (address, depositor_no, reader_no) IN"
        " (SELECT address, depositor_no, reader_no FROM blobs WHERE expires_ms <= ? LIMIT ?)",
        (now_ms, BATCH),
    )
    long_ago_ms = now_ms - _KEEP_ENDED_MS
    # An acceptance that no device of the inviter ever confirmed ends with its invitation.
    writer.execute(
        "UPDATE edges SET status = ?, moved_ms = ? WHERE status = ? AND moved_ms <= ?",
        (EdgeStatus.REVOKED, now_ms, EdgeStatus.PENDING, long_ago_ms),
    )
    writer.execute(
        "DELETE FROM edges WHERE edge_no IN (SELECT edge_no FROM edges WHERE status = ? AND moved_ms <= ?"
        " AND NOT EXISTS (SELECT 1 FROM tallies WHERE tallies.edge_no = edges.edge_no) LIMIT ?)",
        (EdgeStatus.REVOKED, long_ago_ms, BATCH),
    )
    writer.execute(
        "DELETE FROM invitations WHERE invitation_id IN"
        " (SELECT invitation_id FROM invitations WHERE expires_ms <= ? AND status <> ? LIMIT ?)",
        (long_ago_ms, InvitationStatus.ACCEPTED, BATCH),
    )
    return writer.total_changes - before
