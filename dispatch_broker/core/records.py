"""What the broker remembers of accounts, trust and mailboxes, one frozen record a noun, and how statuses may move.

Nothing here says what a task is about: an edge is who, whom, until when and how often; an envelope is bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.keys import DeviceId, EdgeId, Genesis
from dispatch_protocol.signing import Document


class EdgeStatus(StrEnum):
    """Where a trust edge stands; `expired` is computed from the clock and never stored."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class InvitationStatus(StrEnum):
    """Where an invitation stands; `expired` is computed from the clock and never stored."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    EXPIRED = "expired"
    REVOKED = "revoked"


EDGE_MOVES: Mapping[EdgeStatus, frozenset[EdgeStatus]] = MappingProxyType(
    {
        EdgeStatus.PENDING: frozenset({EdgeStatus.ACTIVE, EdgeStatus.REVOKED}),
        EdgeStatus.ACTIVE: frozenset({EdgeStatus.REVOKED}),
        EdgeStatus.EXPIRED: frozenset({EdgeStatus.REVOKED}),
        EdgeStatus.REVOKED: frozenset(),
    }
)

INVITATION_MOVES: Mapping[InvitationStatus, frozenset[InvitationStatus]] = MappingProxyType(
    {
        InvitationStatus.PENDING: frozenset(
            {InvitationStatus.ACCEPTED, InvitationStatus.DECLINED, InvitationStatus.REVOKED}
        ),
        InvitationStatus.ACCEPTED: frozenset(
            {InvitationStatus.CONFIRMED, InvitationStatus.DECLINED, InvitationStatus.REVOKED}
        ),
        InvitationStatus.CONFIRMED: frozenset(),
        InvitationStatus.DECLINED: frozenset(),
        InvitationStatus.EXPIRED: frozenset(),
        InvitationStatus.REVOKED: frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class Account:
    """One identity at this broker, known by its genesis; the address was proven when the account was opened."""

    genesis: Genesis
    address: str


class Standing(StrEnum):
    """What the operator decided about an address, beside what `--signup` says of everybody's."""

    ADMITTED = "admitted"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a login token says: this address was proven for this device of this identity."""

    address: str
    genesis: Genesis
    device: DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Directed trust: `giver` invited and may dispatch, `trustor` accepted and owns the scopes; 0 is "no end"."""

    edge_id: EdgeId
    giver: Account
    trustor: Account
    status: EdgeStatus
    max_per_day: int
    expires_ms: int

    def at(self, now_ms: int) -> EdgeStatus:
        """Say where the edge stands now."""
        if self.status is EdgeStatus.ACTIVE and 0 < self.expires_ms <= now_ms:
            return EdgeStatus.EXPIRED
        return self.status

    def joins(self, one: Genesis, other: Genesis) -> bool:
        """Whether these two are the edge's pair, in either direction."""
        return {one, other} == {self.giver.genesis, self.trustor.genesis}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A signed public document and how far it got; its id is the id of the edge that it becomes."""

    invitation_id: EdgeId
    document: bytes
    inviter: Account
    to_address: str
    status: InvitationStatus
    created_ms: int
    expires_ms: int

    @property
    def needs_token(self) -> bool:
        """Say whether it is accepted with its token only."""
        return InvitationDocument.decode(Document.decode(self.document).body).mac is MacRule.REQUIRED

    def at(self, now_ms: int) -> InvitationStatus:
        """Say where the invitation stands now; one that was accepted in time stays accepted."""
        if self.status is InvitationStatus.PENDING and self.expires_ms <= now_ms:
            return InvitationStatus.EXPIRED
        return self.status


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is owed about an invitation, after so many attempts to send it."""

    invitation: Invitation
    attempts: int
