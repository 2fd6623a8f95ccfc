"""Mails: what is owed to the addresses of invitations, until it is sent, refused for good, or pointless."""

from collections.abc import Callable

from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.core.effects import OweMail
from dispatch_broker.core.records import Invitation, Mail
from dispatch_protocol.keys import EdgeId


class MailTable:
    """Mails that are owed."""

    def __init__(self, commits: Commits, invitation: Callable[[EdgeId], Invitation | None]) -> None:
        self._commits = commits
        self._invitation = invitation

    def owe(self, effect: OweMail) -> None:
        """Owe a mail about an invitation."""
        self._commits.begin().execute(
            "INSERT INTO mails (invitation_id, attempts, due_ms) VALUES (?, 0, ?)",
            (effect.invitation_id.raw, effect.due_ms),
        )

    def due(self, now_ms: int, limit: int) -> tuple[Mail, ...]:
        """Return what should be sent now, the longest overdue first."""
        rows = self._commits.writer.execute(
            "SELECT invitation_id, attempts FROM mails WHERE due_ms <= ? ORDER BY due_ms LIMIT ?",
            (now_ms, limit),
        ).fetchall()
        found = ((self._invitation(EdgeId(raw)), attempts) for raw, attempts in rows)
        return tuple(Mail(invitation, attempts) for invitation, attempts in found if invitation is not None)

    def next_due_ms(self) -> int | None:
        """Return when the next mail is due, None if none is owed."""
        (due_ms,) = self._commits.writer.execute("SELECT min(due_ms) FROM mails").fetchone()
        return None if due_ms is None else int(due_ms)

    def settle(self, mail: Mail, due_ms: int | None) -> None:
        """Owe a mail again from `due_ms` on, or no longer."""
        raw = mail.invitation.invitation_id.raw
        if due_ms is None:
            self._commits.begin().execute("DELETE FROM mails WHERE invitation_id = ?", (raw,))
            return
        self._commits.begin().execute(
            "UPDATE mails SET attempts = attempts + 1, due_ms = ? WHERE invitation_id = ?", (due_ms, raw)
        )
