"""What a recipient knows before it opens an envelope: all that the opening list asks of anybody but the bytes.

The list is pure, so its knowledge is an argument, and these are its words. Everything here comes from the recipient's
own journal and clock, never from the envelope or the relay.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatch_protocol.chain import Chain
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.keys import Digest, EdgeId, Genesis
from dispatch_protocol.signing import Document


class EdgeStatus(StrEnum):
    """Where a trust edge stands."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class EdgeStanding:
    """One trust edge as our own books hold it: `dispatcher` may dispatch to `trustor`, who granted it.

    `expires_ms` is the end of the grant, 0 for none.
    """

    edge: EdgeId
    status: EdgeStatus
    dispatcher: Genesis
    trustor: Genesis
    expires_ms: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the recipient knows before it opens an envelope; all of it comes from its own journal and clock.

    `peer` is the pinned chain that the header's device belongs to (one's own for one's own), or None if no contact has
    that device. `edge` is the header's edge. `floor_ms` is the latest time in the journal: it is never earlier than
    that. `seen` says that this D was opened before, `id_taken` that another D has its dispatch id.
    """

    own: Chain
    peer: Chain | None
    edge: EdgeStanding | None
    now_ms: int
    floor_ms: int
    seen: bool
    id_taken: bool = False


@dataclass(frozen=True, slots=True)
class AcceptanceExpected:
    """What an inviter knows of the answer to its invitation: no more than the invitation and its secret."""

    invitation: Document
    secret: Secret


@dataclass(frozen=True, slots=True)
class ConfirmationExpected:
    """What an invitee knows of the answer to its acceptance: `inviter` is the chain that the token pinned.

    `secret` is None if it accepted without a token.
    """

    invitation: Document
    acceptance: Digest
    inviter: Chain
    secret: Secret | None


FirstContact = AcceptanceExpected | ConfirmationExpected
