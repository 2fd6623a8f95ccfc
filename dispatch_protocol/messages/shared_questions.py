"""What the devices of one person tell each other of the questions of a run, and of the answers to them.

A question is told by the device that runs, again when it is closed. A verdict is the answer of a human at another device. It names
everything that it is about, so that it can be applied to nothing else: a digest of what was shown, and where it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from dispatch_protocol.body import read_word
from dispatch_protocol.encoding import JSON, Fields, dumps
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.limits import NAME_CHARS, REASON_CHARS, TASK_CHARS

SHOWN_BYTES: Final = 64 * 1024  # of what a question shows; what is larger is looked at where it runs
_FLAGS: Final = 1_000


class QuestionState(StrEnum):
    """Where a question stands; every state but the first is final."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which question: of which run of which dispatch, about what, under which grant, until when, and where it runs.

    `subject` is the SHA-256 of exactly what is shown. Every field of it has to be the same for a verdict to count.
    """

    dispatch: Digest
    run_id: UUID
    request: UUID
    subject: Digest
    grant: Version | None
    deadline_ms: int
    device: DeviceId

    def write(self) -> dict[str, JSON]:
        """Return it as JSON."""
        return {
            "dispatch": self.dispatch.hex,
            "run_id": self.run_id.hex,
            "request": self.request.hex,
            "subject": self.subject.hex,
            "grant": None if self.grant is None else self.grant.write(),
            "deadline": self.deadline_ms,
            "device": self.device.hex,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Asked":
        """Take its fields out of an entry; raises MalformedError."""
        return cls(
            dispatch=Digest(fields.hex("dispatch", Digest.LENGTH)),
            run_id=UUID(bytes=fields.hex("run_id", 16)),
            request=UUID(bytes=fields.hex("request", 16)),
            subject=Digest(fields.hex("subject", Digest.LENGTH)),
            grant=fields.optional(lambda name: Version.read(fields.fields(name)), "grant"),
            deadline_ms=fields.integer("deadline"),
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionEntry:
    """A question of a run of `asked.device`, whose log it stands in; `about` is a call or the changes of a run.

    `payload` is all that is shown, verbatim, while it is open; null where it is closed or too large to be told.
    `by` is the device whose human closed it.
    """

    asked: Asked
    about: str
    tool: str | None
    title: str
    payload: Mapping[str, JSON] | None
    flags: tuple[str, ...]
    asked_ms: int
    state: QuestionState
    by: DeviceId | None

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "kind": "question",
            **self.asked.write(),
            "about": self.about,
            "tool": self.tool,
            "title": self.title,
            "payload": None if self.payload is None else dict(self.payload),
            "flags": list(self.flags),
            "asked": self.asked_ms,
            "state": self.state.value,
            "by": None if self.by is None else self.by.hex,
        }

    @classmethod
    def read(cls, fields: Fields) -> "QuestionEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        by = fields.optional(fields.hex, "by", DeviceId.LENGTH)
        entry = cls(
            asked=Asked.read(fields),
            about=read_word(fields, "about"),
            tool=fields.optional(fields.text, "tool", min_chars=1, max_chars=NAME_CHARS),
            title=fields.text("title", max_chars=TASK_CHARS),
            payload=_read_payload(fields),
            flags=fields.texts("flags", max_items=_FLAGS, max_chars=TASK_CHARS),
            asked_ms=fields.integer("asked"),
            state=fields.choice("state", QuestionState),
            by=None if by is None else DeviceId(by),
        )
        if entry.state is not QuestionState.OPEN and entry.payload is not None:
            raise MalformedError(f"{fields.where} shows what is closed")
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictEntry:
    """A human's yes (for this once) or no, at the device in whose log it stands, to exactly this question of another one."""

    asked: Asked
    approved: bool
    reason: str | None
    said_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "kind": "verdict",
            **self.asked.write(),
            "approved": self.approved,
            "reason": self.reason,
            "said": self.said_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> "VerdictEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        return cls(
            asked=Asked.read(fields),
            approved=fields.boolean("approved"),
            reason=fields.optional(fields.text, "reason", min_chars=1, max_chars=REASON_CHARS),
            said_ms=fields.integer("said"),
        )


def _read_payload(fields: Fields) -> Mapping[str, JSON] | None:
    value = fields.raw("payload")
    if value is None:
        return None
    if not isinstance(value, dict) or len(dumps(value)) > SHOWN_BYTES:
        raise MalformedError(f"{fields.where}.payload is no object of at most {SHOWN_BYTES} bytes")
    return value
