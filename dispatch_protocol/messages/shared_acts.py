"""What a device tells the others of its private log: how it has grown, by digests alone, and what all of it adds up to.

What was decided stays where it was decided. But whoever rewrites that later contradicts what the others hold of it.
"""

from dataclasses import dataclass
from typing import Final

from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest

ACTS: Final = 1_000  # of one entry


@dataclass(frozen=True, slots=True, kw_only=True)
class ActsEntry:
    """The leaves `digests` follow the first `since` of the log of the device that tells; `root` is that of all of them."""

    since: int
    digests: tuple[Digest, ...]
    root: Digest

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "kind": "acts",
            "since": self.since,
            "digests": [digest.hex for digest in self.digests],
            "root": self.root.hex,
        }

    @classmethod
    def read(cls, fields: Fields) -> "ActsEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        digests = tuple(Digest(raw) for raw in fields.hexes("digests", Digest.LENGTH, max_items=ACTS))
        if not digests:
            raise MalformedError(f"{fields.where} tells of nothing")
        return cls(
            since=fields.integer("since"),
            digests=digests,
            root=Digest(fields.hex("root", Digest.LENGTH)),
        )
