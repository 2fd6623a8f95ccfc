"""What the devices of one person tell each other: a log by each of them, of what all of them have to know.

An entry states how a thing is, not how it was changed, so entries may be taken in twice and in any order. A log counts
its documents from 1 and links each to the one before it; seq 0 stands beside the count: the feed for a device that is
new, with everything the older one knows. `heads` says how far the author has followed every log, its own included.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.limits import (
    DEVICES,
    NAME_CHARS,
)
from dispatch_protocol.messages.shared_acts import ActsEntry
from dispatch_protocol.messages.shared_questions import QuestionEntry, VerdictEntry
from dispatch_protocol.messages.shared_trust import EdgeEntry, InvitationEntry, PinEntry, RuleEntry
from dispatch_protocol.messages.shared_work import DeedEntry, HandoverEntry

ENTRIES: Final = 1_000  # of one document


@dataclass(frozen=True, slots=True, kw_only=True)
class NameEntry:
    """What a person calls one of their devices, and since when."""

    device: DeviceId
    name: str
    named_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {"kind": "name", "device": self.device.hex, "name": self.name, "named": self.named_ms}

    @classmethod
    def read(cls, fields: Fields) -> "NameEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        return cls(
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            name=fields.text("name", min_chars=1, max_chars=NAME_CHARS),
            named_ms=fields.integer("named"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PanicEntry:
    """A person has called a panic on one of their devices, and when: every other one stops too."""

    device: DeviceId
    called_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {"kind": "panic", "device": self.device.hex, "called": self.called_ms}

    @classmethod
    def read(cls, fields: Fields) -> "PanicEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        return cls(device=DeviceId(fields.hex("device", DeviceId.LENGTH)), called_ms=fields.integer("called"))


Entry = (
    PinEntry
    | EdgeEntry
    | InvitationEntry
    | RuleEntry
    | NameEntry
    | PanicEntry
    | DeedEntry
    | HandoverEntry
    | QuestionEntry
    | VerdictEntry
    | ActsEntry
)

_ENTRIES: Final[Mapping[str, Callable[[Fields], Entry]]] = MappingProxyType(
    {
        "pin": PinEntry.read,
        "edge": EdgeEntry.read,
        "invitation": InvitationEntry.read,
        "rule": RuleEntry.read,
        "name": NameEntry.read,
        "panic": PanicEntry.read,
        "deed": DeedEntry.read,
        "handover": HandoverEntry.read,
        "question": QuestionEntry.read,
        "verdict": VerdictEntry.read,
        "acts": ActsEntry.read,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """How far one device's log was followed: its last document, by number and digest."""

    device: DeviceId
    seq: int
    digest: Digest

    def write(self) -> dict[str, JSON]:
        """Return the head as JSON."""
        return {"device": self.device.hex, "seq": self.seq, "digest": self.digest.hex}

    @classmethod
    def read(cls, fields: Fields) -> "LogHead":
        """Read a head strictly; raises MalformedError."""
        head = cls(
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            seq=fields.integer("seq", minimum=1),
            digest=Digest(fields.hex("digest", Digest.LENGTH)),
        )
        fields.done()
        return head


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One document of a device's log, or with seq 0 a part of a feed; `prev` is zeros for the first of a log."""

    head: Head
    seq: int
    prev: Digest
    heads: tuple[LogHead, ...]
    entries: tuple[Entry, ...]

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "seq": self.seq,
            "prev": self.prev.hex,
            "heads": [head.write() for head in self.heads],
            "entries": [entry.write() for entry in self.entries],
        }

    @classmethod
    def read(cls, fields: Fields) -> "Log":
        """Read a log strictly; raises MalformedError, also for one that leaves the household."""
        log = cls(
            head=Head.read(fields),
            seq=fields.integer("seq"),
            prev=Digest(fields.hex("prev", Digest.LENGTH)),
            heads=tuple(LogHead.read(head) for head in fields.many("heads", max_items=DEVICES)),
            entries=tuple(_read_entry(entry) for entry in fields.many("entries", max_items=ENTRIES)),
        )
        stated = (log.head.edge, log.head.re, log.head.recipient.identity)
        if stated != (EdgeId.SELF, Digest.ZERO, log.head.sender.identity):
            raise MalformedError(f"{fields.where} is not from an identity to itself")
        if (log.prev == Digest.ZERO) != (log.seq <= 1):
            raise MalformedError(f"{fields.where}.prev is zeros exactly where there is none before")
        return log


def _read_entry(fields: Fields) -> Entry:
    name = fields.text("kind", max_chars=64)
    read = _ENTRIES.get(name)
    if read is None:
        raise MalformedError(f"{fields.where} is of the unknown kind {name!r}")
    entry = read(fields)
    fields.done()
    return entry
