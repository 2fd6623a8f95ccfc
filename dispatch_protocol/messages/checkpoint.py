"""The checkpoint: how far a device's log of an edge has come, told to the one who holds everything that stands in it.

Each entry is the last thing that the device said about one dispatch; through its chain of answers it covers whatever came
before. Whoever signs two checkpoints that contradict each other has rewritten what it said, and both are the evidence.
"""

from dataclasses import dataclass
from typing import Final

from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head
from dispatch_protocol.keys import Digest, EdgeId

ENTRIES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log after `entries`, which follow the first `since` of it; `root` is that of all of them."""

    head: Head
    since: int
    entries: tuple[Digest, ...]
    root: Digest

    @property
    def size(self) -> int:
        """How many entries the log has by now."""
        return self.since + len(self.entries)

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "since": self.since,
            "entries": [entry.hex for entry in self.entries],
            "root": self.root.hex,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Checkpoint":
        """Read a checkpoint strictly; raises MalformedError."""
        head = Head.read(fields)
        if head.edge == EdgeId.SELF or head.re != Digest.ZERO or head.expires_ms:
            raise MalformedError("a checkpoint stands on an edge, concerns no dispatch and does not expire")
        entries = tuple(Digest(raw) for raw in fields.hexes("entries", Digest.LENGTH, max_items=ENTRIES))
        if not entries or len(set(entries)) != len(entries):
            raise MalformedError("a checkpoint without entries, or with one twice")
        root = Digest(fields.hex("root", Digest.LENGTH))
        return cls(head=head, since=fields.integer("since"), entries=entries, root=root)
