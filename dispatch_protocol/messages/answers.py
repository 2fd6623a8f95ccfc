"""What a recipient says about a dispatch: the human's decision, automatic receipts, and the result.

Every answer carries `seq` and `prev`: per signing device and dispatch they form a chain from 1 upwards, so that a
relay can drop or reorder nothing unseen (`dispatch_protocol.receipt` checks it).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.head import Head
from dispatch_protocol.messages.trace import Artifact, Change, Confinement, Event, FileDiff, Usage
from dispatch_protocol.scopes import Returns


class Verdict(StrEnum):
    """What the human decided."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


class Mode(StrEnum):
    """How an accepted dispatch is carried out: the edge's approval mode at the start, or by a human's own hand."""

    MANUAL = "manual"
    REVIEW = "review"
    AUTO = "auto"
    BY_HAND = "by_hand"


class ReceiptType(StrEnum):
    """What a receipt states; the closed list of automatic statements about a dispatch."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"
    STARTED = "started"
    HEARTBEAT = "heartbeat"
    WAITING = "waiting"
    CANCELLED = "cancelled"
    UNSUPPORTED = "unsupported"
    STALE_CHAIN = "stale_chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A human's act on the dispatch `head.re`; `mode` and `run_id` stand exactly when it was accepted."""

    head: Head
    seq: int
    prev: Digest
    decision: Verdict
    mode: Mode | None = None
    reason: str | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An automatic statement about the dispatch `head.re`; `code` says why, `data` is closed per type."""

    head: Head
    seq: int
    prev: Digest
    type: ReceiptType
    code: str | None = None
    detail: str | None = None
    run_id: UUID | None = None
    data: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a run, as far as `returns` lets the author see; `code` names why it did not succeed."""

    head: Head
    seq: int
    prev: Digest
    run_id: UUID
    outcome: Outcome
    summary: str
    returns: Returns
    agent: str
    started_ms: int
    ended_ms: int
    code: str | None = None
    changeset: tuple[Change, ...] = ()
    changeset_digest: Digest | None = None
    diffs: tuple[FileDiff, ...] = ()
    diff_truncated: bool = False
    artifacts: tuple[Artifact, ...] = ()
    events: tuple[Event, ...] = ()
    usage: Usage | None = None
    confinement: Confinement | None = None


Answer = Decision | Receipt | Result
