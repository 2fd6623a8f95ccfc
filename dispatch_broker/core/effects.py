"""What a decision wants done: frozen effects in a tuple, performed in one place (`adapters/performer.py`).

Those of the first group are rows and become durable together, before anybody is answered; `Wake` and `Tell` act on
this process's connections, after that.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatch_broker.core.records import Account, Edge, EdgeStatus, Invitation, InvitationStatus
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """Remember a new account."""

    account: Account
    at_ms: int


@dataclass(frozen=True, slots=True)
class KeepLinks:
    """Let an identity's public chain go on from place `first`; `devices` are the ones active after the last link.

    What stood from there on was voided by a recovery.
    """

    genesis: Genesis
    first: int
    links: tuple[bytes, ...]
    devices: tuple[DeviceId, ...]


@dataclass(frozen=True, slots=True)
class KeepCounter:
    """Remember the session counter of a device."""

    device: DeviceId
    counter: int


@dataclass(frozen=True, slots=True)
class SignOut:
    """Let a device's next session ask for a login again."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class KeepInvitation:
    """Remember a new invitation."""

    invitation: Invitation


@dataclass(frozen=True, slots=True)
class MoveInvitation:
    """Give an invitation its next status."""

    invitation_id: EdgeId
    status: InvitationStatus


@dataclass(frozen=True, slots=True)
class OweMail:
    """Owe the address of an invitation a mail about it, from `due_ms` on."""

    invitation_id: EdgeId
    due_ms: int


@dataclass(frozen=True, slots=True)
class KeepEdge:
    """Remember a new edge."""

    edge: Edge


@dataclass(frozen=True, slots=True)
class MoveEdge:
    """Give an edge its next status."""

    edge_id: EdgeId
    status: EdgeStatus


@dataclass(frozen=True, slots=True)
class BoundEdge:
    """Give an edge its daily limit and its end."""

    edge_id: EdgeId
    max_per_day: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class CountTask:
    """Count one distinct task against its edge's daily limit."""

    edge_id: EdgeId
    digest: Digest
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PutEnvelope:
    """Put one envelope into the mailboxes of `devices`; `ttl_ms` is when the broker may forget it."""

    raw: bytes
    digest: Digest
    depositor: Genesis
    devices: tuple[DeviceId, ...]
    ttl_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepBlob:
    """Keep a blob whose bytes are on the disk: for `reader` beside its depositor, until `expires_ms`."""

    address: Digest
    size_bytes: int
    depositor: Genesis
    reader: Genesis
    expires_ms: int


@dataclass(frozen=True, slots=True)
class DropBlob:
    """Forget a blob as far as it was kept for this reader, who has it."""

    address: Digest
    reader: Genesis


@dataclass(frozen=True, slots=True)
class Wake:
    """Let a device's connection look into its mailbox."""

    device: DeviceId


class Topic(StrEnum):
    """What changed for somebody: a notice says ask again, never what."""

    INVITATIONS = "invitations"
    EDGES = "edges"
    CHAIN = "chain"  # of that identity itself: one of its devices has made it grow


@dataclass(frozen=True, slots=True)
class Tell:
    """Let every connection of an identity know that something changed."""

    genesis: Genesis
    topic: Topic


Row = (
    OpenAccount
    | KeepLinks
    | KeepCounter
    | SignOut
    | KeepInvitation
    | MoveInvitation
    | OweMail
    | KeepEdge
    | MoveEdge
    | BoundEdge
    | CountTask
    | PutEnvelope
    | KeepBlob
    | DropBlob
)
Effect = Row | Wake | Tell
Effects = tuple[Effect, ...]
