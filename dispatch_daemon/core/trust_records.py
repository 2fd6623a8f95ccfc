"""What the journal remembers of other people and what was granted: contacts, edges, invitations, comparisons, standing rules.

It stands apart from `records`, which are about the work that goes over these edges.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatch_protocol.encoding import JSON
from dispatch_protocol.standing import EdgeStatus


class Direction(StrEnum):
    """Whose trust an edge states: outgoing, I may dispatch to the peer; incoming, the peer to me."""

    OUTGOING = "outgoing"
    INCOMING = "incoming"


class Trust(StrEnum):
    """How a contact's key is known, weakest first."""

    UNVERIFIED = "unverified"
    TOKEN = "token"
    COMPARED = "compared"


class InvitationStatus(StrEnum):
    """Where an invitation stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRecord:
    """A standing yes on this edge: this tool, and of it exactly one command, one directory or one call (`core.reach`)."""

    rule_id: str
    edge: str
    tool: str
    command: str | None
    created_ms: int
    path: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRecord:
    """A pinned person: the genesis never changes, the chain only grows, unless a recovery begins it anew.

    `conflict` is another history of the identity, as evidence and a reason to stop; `named_ms` when the alias was chosen.
    `compared_ms` is when a human found the same words; `known_before` how they were known until then, and are after a recovery.
    """

    genesis: str
    address: str
    trust: Trust
    chain: tuple[dict[str, JSON], ...]
    pinned_ms: int
    alias: str | None = None
    conflict: tuple[dict[str, JSON], ...] | None = None
    compared_ms: int | None = None
    known_before: Trust | None = None
    named_ms: int = 0


class Judgement(StrEnum):
    """What a human said of the words of a comparison."""

    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecord:
    """The comparison with one contact (`core.comparing`): our part, theirs, and what was said of the words.

    `mine` and `theirs` are the digests of the two comparisons; `body` is ours as it is signed, and `random` what it is
    bound to. `theirs_ms` is when the newest of theirs was made, and only rises. `early` is a reveal (its comparison, its
    bytes) that came before its comparison. `epoch` is that of the contact's chain.
    """

    peer: str
    since_ms: int
    epoch: int
    mine: str | None = None
    body: bytes | None = None
    random: bytes | None = None
    theirs: str | None = None
    commitment: bytes | None = None
    theirs_ms: int = 0
    early: tuple[str, str] | None = None
    their_random: bytes | None = None
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRecord:
    """One directed trust and the grant as this machine holds it: our copy decides, not the relay's.

    `beside` are versions that were made at the same time as `grant`, by another device; `passed` says up to which number
    the versions of a device were gone on from, as far as the held ones do not say it themselves.
    """

    edge: str
    direction: Direction
    peer: str
    address: str
    status: EdgeStatus
    grant: dict[str, JSON]
    created_ms: int
    expires_ms: int
    path_identities: tuple[tuple[str, int, int], ...] = ()
    beside: tuple[dict[str, JSON], ...] = ()
    passed: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRecord:
    """How an edge is born; `secret` never leaves this machine except inside the token a person passes on.

    `accepted_by` is who has proved the secret of ours; `acceptance` the digest of the yes. `also_proved_by` is another identity that
    proved it afterwards: then the token has leaked, and who came first is not known to be who was meant. `offer` is what the human
    lets the invited one do here in turn (scopes), `offer_identities` what stood at its paths; `offered_on` holds both, and answers alone.
    """

    invitation_id: str
    direction: Direction
    address: str
    document: dict[str, JSON]
    status: InvitationStatus
    created_ms: int
    expires_ms: int
    link: str
    mac_required: bool
    secret: bytes | None = None
    accepted_by: str | None = None
    acceptance: str | None = None
    also_proved_by: str | None = None
    also_proved_ms: int | None = None
    offer: dict[str, JSON] | None = None
    offer_identities: tuple[tuple[str, int, int], ...] = ()
    offered_on: str | None = None
