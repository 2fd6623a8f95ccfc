"""Invitations: public signed documents, by inviter and by the address they are for."""

from collections.abc import Sequence
from typing import Any

from dispatch_broker.adapters.store_sqlite.commits import Commits
from dispatch_broker.core.effects import KeepInvitation, MoveInvitation
from dispatch_broker.core.records import Account, Invitation, InvitationStatus
from dispatch_protocol.keys import EdgeId, Genesis

_INVITATIONS = (
    "SELECT invitation_id, document, genesis, address, to_address, status, created_ms, expires_ms"
    " FROM invitations JOIN accounts ON account_no = inviter_no"
)


class InvitationTable:
    """Invitations that were left here."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def invitation(self, invitation_id: EdgeId) -> Invitation | None:
        """Return one invitation."""
        row = self._commits.writer.execute(
            f"{_INVITATIONS} WHERE invitation_id = ?", (invitation_id.raw,)
        ).fetchone()
        return None if row is None else _invitation(row)

    def sent(self, genesis: Genesis, limit: int) -> tuple[Invitation, ...]:
        """Return the newest invitations that an identity left, newest first."""
        rows = self._commits.writer.execute(
            f"{_INVITATIONS} WHERE genesis = ? ORDER BY created_ms DESC, invitation_id LIMIT ?",
            (genesis.raw, limit),
        )
        return tuple(_invitation(row) for row in rows)

    def received(self, address: str, limit: int) -> tuple[Invitation, ...]:
        """Return the newest invitations for an address, newest first."""
        rows = self._commits.writer.execute(
            f"{_INVITATIONS} WHERE to_address = ? ORDER BY created_ms DESC, invitation_id LIMIT ?",
            (address, limit),
        )
        return tuple(_invitation(row) for row in rows)

    def open_count(self, genesis: Genesis, now_ms: int) -> int:
        """Return how many invitations of an identity may still be answered."""
        (count,) = self._commits.writer.execute(
            "SELECT count(*) FROM invitations JOIN accounts ON account_no = inviter_no"
            " WHERE genesis = ? AND (status = ? OR status = ? AND expires_ms > ?)",
            (genesis.raw, InvitationStatus.ACCEPTED, InvitationStatus.PENDING, now_ms),
        ).fetchone()
        return int(count)

    def write(self, effect: KeepInvitation | MoveInvitation) -> None:
        """Add an invitation, or give one its next status."""
        if isinstance(effect, KeepInvitation):
            self._keep(effect)
        else:
            self._move(effect)

    def _keep(self, effect: KeepInvitation) -> None:
        invitation = effect.invitation
        self._commits.begin().execute(
            "INSERT INTO invitations (invitation_id, document, inviter_no, to_address, status, created_ms, expires_ms)"
            " VALUES (?, ?, (SELECT account_no FROM accounts WHERE genesis = ?), ?, ?, ?, ?)",
            (
                invitation.invitation_id.raw,
                invitation.document,
                invitation.inviter.genesis.raw,
                invitation.to_address,
                invitation.status,
                invitation.created_ms,
                invitation.expires_ms,
            ),
        )

    def _move(self, effect: MoveInvitation) -> None:
        self._commits.begin().execute(
            "UPDATE invitations SET status = ? WHERE invitation_id = ?",
            (effect.status, effect.invitation_id.raw),
        )


def _invitation(row: Sequence[Any]) -> Invitation:
    """Read one row of `_INVITATIONS`."""
    invitation_id, document, genesis, address, to_address, status, created_ms, expires_ms = row
    return Invitation(
        invitation_id=EdgeId(invitation_id),
        document=document,
        inviter=Account(Genesis(genesis), address),
        to_address=to_address,
        status=InvitationStatus(status),
        created_ms=created_ms,
        expires_ms=expires_ms,
    )
