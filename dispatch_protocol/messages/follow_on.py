"""What an author says after the task: stop it, I have your answer, and plain words on the same thread."""

from dataclasses import dataclass
from uuid import UUID

from dispatch_protocol.keys import DeviceId
from dispatch_protocol.messages.head import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A request to stop the dispatch `head.re`; only the recipient's receipt makes it so."""

    head: Head
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The author holds every answer of `device` to the dispatch `head.re` up to and including `seq`."""

    head: Head
    device: DeviceId
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Words on a thread; `surface` says where they were written, `audience` who is meant to read them."""

    head: Head
    thread: UUID
    text: str
    surface: str = "cli"
    audience: str = "thread"
