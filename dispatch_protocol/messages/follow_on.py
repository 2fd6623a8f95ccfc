"""What an author says after the task: stop it, I have your answer, and plain words on the same thread."""

from dataclasses import dataclass
from uuid import UUID

from dispatch_protocol.body import read_word
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head, concerning
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.limits import REASON_CHARS, REPLY_CHARS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A request to stop the dispatch `head.re`; only the recipient's receipt makes it so."""

    head: Head
    reason: str | None = None

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {**self.head.write(), "reason": self.reason}

    @classmethod
    def read(cls, fields: Fields) -> "Cancel":
        """Read a cancel strictly; raises MalformedError."""
        return cls(
            head=concerning(Head.read(fields)),
            reason=fields.optional(fields.text, "reason", min_chars=1, max_chars=REASON_CHARS),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The author holds every answer of `device` to the dispatch `head.re` up to and including `seq`."""

    head: Head
    device: DeviceId
    seq: int

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {**self.head.write(), "device": self.device.hex, "seq": self.seq}

    @classmethod
    def read(cls, fields: Fields) -> "Ack":
        """Read an ack strictly; raises MalformedError."""
        return cls(
            head=concerning(Head.read(fields)),
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            seq=fields.integer("seq", minimum=1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Words on a thread; `surface` says where they were written, `audience` who is meant to read them."""

    head: Head
    thread: UUID
    text: str
    surface: str = "cli"
    audience: str = "thread"

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "thread": self.thread.hex,
            "text": self.text,
            "surface": self.surface,
            "audience": self.audience,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Message":
        """Read a message strictly; raises MalformedError, also for text that is only white space."""
        message = cls(
            head=concerning(Head.read(fields)),
            thread=UUID(bytes=fields.hex("thread", 16)),
            text=fields.text("text", min_chars=1, max_chars=REPLY_CHARS),
            surface=read_word(fields, "surface"),
            audience=read_word(fields, "audience"),
        )
        if not message.text.strip():
            raise MalformedError(f"{fields.where}.text is nothing but white space")
        return message
