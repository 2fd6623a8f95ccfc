"""What a recipient says about a dispatch: the human's decision, automatic receipts, and the result.

Every answer carries `seq` and `prev`: per signing device and dispatch they form a chain from 1 upwards, so that a
relay can drop or reorder nothing unseen (`dispatch_protocol.answer_chain` checks it).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from dispatch_protocol.body import read_word
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head, concerning
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.limits import CHAIN_LINKS, REASON_CHARS, TYPE_BYTES
from dispatch_protocol.messages.result import Result, read_place
from dispatch_protocol.signing import Document

PARKED: Final = (
    "parked"  # the code of a `waiting` receipt whose run is set aside until a human takes it up again
)


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

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "seq": self.seq,
            "prev": self.prev.hex,
            "decision": self.decision.value,
            "mode": None if self.mode is None else self.mode.value,
            "reason": self.reason,
            "run_id": None if self.run_id is None else self.run_id.hex,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Decision":
        """Read a decision strictly; raises MalformedError."""
        head = concerning(Head.read(fields))
        seq, prev = read_place(fields)
        decision = cls(
            head=head,
            seq=seq,
            prev=prev,
            decision=fields.choice("decision", Verdict),
            mode=fields.optional(lambda name: fields.choice(name, Mode), "mode"),
            reason=fields.optional(fields.text, "reason", min_chars=1, max_chars=REASON_CHARS),
            run_id=_read_run(fields),
        )
        accepted = decision.decision is Verdict.ACCEPTED
        if accepted != (decision.mode is not None) or accepted != (decision.run_id is not None):
            raise MalformedError("a decision names its mode and run exactly when it accepts")
        return decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An automatic statement about the dispatch `head.re`; `code` says why, `data` is closed per type.

    A refusal and a cancellation always have a code. `data`: started {agent}; heartbeat and waiting {state};
    unsupported {payload_type}; stale_chain {links}, the recipient's chain in full; all others nothing.
    """

    head: Head
    seq: int
    prev: Digest
    type: ReceiptType
    code: str | None = None
    detail: str | None = None
    run_id: UUID | None = None
    data: Mapping[str, JSON] = field(default_factory=dict)

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "seq": self.seq,
            "prev": self.prev.hex,
            "type": self.type.value,
            "code": self.code,
            "detail": self.detail,
            "run_id": None if self.run_id is None else self.run_id.hex,
            "data": dict(self.data),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Receipt":
        """Read a receipt strictly; raises MalformedError."""
        head = concerning(Head.read(fields))
        seq, prev = read_place(fields)
        receipt = cls(
            head=head,
            seq=seq,
            prev=prev,
            type=fields.choice("type", ReceiptType),
            code=fields.optional(lambda name: read_word(fields, name), "code"),
            detail=fields.optional(fields.text, "detail", min_chars=1, max_chars=REASON_CHARS),
            run_id=_read_run(fields),
            data=_read_object(fields, "data"),
        )
        if receipt.code is None and receipt.type in {ReceiptType.REFUSED, ReceiptType.CANCELLED}:
            raise MalformedError(f"a receipt {receipt.type} without a code")
        _check_data(receipt.type, Fields(receipt.data, f"{fields.where}.data"))
        return receipt


Answer = Decision | Receipt | Result


def _read_run(fields: Fields) -> UUID | None:
    raw = fields.optional(fields.hex, "run_id", 16)
    return None if raw is None else UUID(bytes=raw)


def _read_object(fields: Fields, name: str) -> Mapping[str, JSON]:
    value = fields.raw(name)
    if not isinstance(value, dict):
        raise MalformedError(f"{fields.where}.{name} is not an object")
    return value


def _check_state(data: Fields) -> None:
    data.choice("state", RunState)


def _check_started(data: Fields) -> None:
    read_word(data, "agent")


def _check_unsupported(data: Fields) -> None:
    data.text("payload_type", min_chars=1, max_chars=TYPE_BYTES)


def _check_stale_chain(data: Fields) -> None:
    for link in data.items("links", max_items=CHAIN_LINKS, min_items=1):
        Document.from_json(link)


_DATA: Final[Mapping[ReceiptType, Callable[[Fields], None]]] = MappingProxyType(
    {
        ReceiptType.STARTED: _check_started,
        ReceiptType.HEARTBEAT: _check_state,
        ReceiptType.WAITING: _check_state,
        ReceiptType.UNSUPPORTED: _check_unsupported,
        ReceiptType.STALE_CHAIN: _check_stale_chain,
    }
)


def _check_data(kind: ReceiptType, data: Fields) -> None:
    check = _DATA.get(kind)
    if check is not None:
        check(data)
    data.done()
