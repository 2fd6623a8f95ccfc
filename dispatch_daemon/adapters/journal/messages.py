"""What was said in threads, as the journal holds it: by dispatch, in the order in which it came to be here."""

from dispatch_daemon.adapters.journal import rows
from dispatch_daemon.adapters.journal.database import Database
from dispatch_daemon.core.records import DispatchRecord, MessageRecord

THREAD = 100  # dispatches of one thread that are shown together, the newest


class Messages:
    """Reads messages and threads; they are written with the decision that they belong to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def message(self, digest: str) -> MessageRecord | None:
        return self._one("WHERE digest = ?", (digest,))

    def for_key(self, idempotency_key: str) -> MessageRecord | None:
        return self._one("WHERE idempotency_key = ?", (idempotency_key,))

    def about(self, dispatch: str) -> list[MessageRecord]:
        """Return what was said about one dispatch (its digest), by either side."""
        return self._all("WHERE about = ? ORDER BY at_ms, rowid", (dispatch,))

    def unread(self, dispatch: str) -> int:
        """Return how many messages of the other side about one dispatch were not read here, by index."""
        ((count,),) = self._database.read(
            "SELECT count(*) FROM messages WHERE about = ? AND NOT ours AND read_ms IS NULL", (dispatch,)
        )
        return int(count)

    def thread(self, thread_id: str, peer: str) -> list[DispatchRecord]:
        """Return the dispatches of one thread with one identity, oldest first; nobody else's name for theirs counts."""
        table = rows.DISPATCHES
        found = self._database.read(
            f"{table.select} WHERE thread_id = ? AND peer = ? ORDER BY arrived_ms DESC, rowid DESC LIMIT ?",
            (thread_id, peer, THREAD),
        )
        return [table.record(row) for row in reversed(found)]

    def _all(self, clause: str, parameters: tuple[str, ...]) -> list[MessageRecord]:
        table = rows.MESSAGES
        return [table.record(row) for row in self._database.read(f"{table.select} {clause}", parameters)]

    def _one(self, clause: str, parameters: tuple[str, ...]) -> MessageRecord | None:
        return next(iter(self._all(clause, parameters)), None)
