"""What follows a task: stop it, I have your answer, and plain words of either side, which the other says it holds."""

from dataclasses import dataclass
from uuid import UUID

from dispatch_protocol.body import read_word
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head, concerning
from dispatch_protocol.keys import DeviceId, Digest
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
    """Words on a thread; `surface` says where they were written, `audience` who is meant to read them.

    `seq` counts from 1 what this device has said about this dispatch, so that a reader sees that something is missing.
    """

    head: Head
    thread: UUID
    seq: int
    text: str
    surface: str = "cli"
    audience: str = "thread"

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "thread": self.thread.hex,
            "seq": self.seq,
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
            seq=fields.integer("seq", minimum=1),
            text=fields.text("text", min_chars=1, max_chars=REPLY_CHARS),
            surface=read_word(fields, "surface"),
            audience=read_word(fields, "audience"),
        )
        if not message.text.strip():
            raise MalformedError(f"{fields.where}.text is nothing but white space")
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The device of `head.sender` holds `message`, which was about the dispatch `head.re`; that a human read it, nobody says."""

    head: Head
    message: Digest

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {**self.head.write(), "message": self.message.hex}

    @classmethod
    def read(cls, fields: Fields) -> "Heard":
        """Read it strictly; raises MalformedError."""
        return cls(
            head=concerning(Head.read(fields)),
            message=Digest(fields.hex("message", Digest.LENGTH)),
        )
