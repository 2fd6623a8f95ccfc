"""Frames: what a device and its relay say to each other, one type for each; `framing` turns them into bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatch_protocol.encoding import JSON
from dispatch_protocol.signing import Document, Signed

CHALLENGE_BYTES: Final = 32
TOKEN_CHARS: Final = 4_096
ACK_SEQS: Final = 1_024
EPOCH_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Challenge:
    """Relay, first: sign these 32 random bytes. `epoch` names the relay's storage; a new one asks for resubmission."""

    challenge: bytes
    epoch: str
    broker_url: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Hello:
    """Device: the signed proof, the identity's chain in full, and a login token if the relay does not know it yet."""

    proof: Signed
    links: tuple[Document, ...]
    token: str | None


@dataclass(frozen=True, slots=True)
class Welcome:
    """Relay: the session is open. `token` is bound to this device and good until `expires_ms`."""

    token: str
    expires_ms: int
    epoch: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Relay: no. With a `ref` that one request failed; with None the session ends. `status` is the HTTP status."""

    ref: int | None
    code: str
    status: int
    detail: str


@dataclass(frozen=True, slots=True)
class Deposit:
    """Device: store and forward this envelope; `ref` is the device's own number for the request."""

    ref: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Deposited:
    """Relay: that envelope is durable here."""

    ref: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Relay: an envelope from the mailbox; `seq` is its place there, rising but not dense."""

    seq: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """Device: these deliveries are durable here and may be forgotten there."""

    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Device: a request about invitations, edges, chains or tokens."""

    ref: int
    op: str
    args: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Answer:
    """Relay: what a call returns."""

    ref: int
    value: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Notice:
    """Relay: something changed; ask again. Nothing is decided by a notice."""

    kind: str
    data: Mapping[str, JSON]


Frame = Challenge | Hello | Welcome | Rejected | Deposit | Deposited | Deliver | Ack | Call | Answer | Notice
