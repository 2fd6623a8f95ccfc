"""The trust file: chains of identities in one file, so that what they prove can travel by any road.

Every link proves itself from the first one up, so a file needs no signature of its own and nobody has to trust who brings it.
A chain is all that a contact has to learn of a revoked device or a recovery; a file makes nobody a contact.
"""

from dataclasses import dataclass
from typing import Final

from dispatch_protocol.bundle import Side
from dispatch_protocol.encoding import Fields, dumps, loads

FORMAT: Final = "dispatch-trust/1"
FILE_BYTES: Final = 64 * 1024 * 1024
CHAINS: Final = 10_000


@dataclass(frozen=True, slots=True)
class TrustFile:
    """Chains in full, each beside the address that its identity is known by to who wrote the file (a claim, or None)."""

    chains: tuple[Side, ...]

    def encode(self) -> bytes:
        """Return the file."""
        return dumps({"format": FORMAT, "chains": [side.write() for side in self.chains]})

    @classmethod
    def decode(cls, data: bytes) -> "TrustFile":
        """Read a file strictly; raises MalformedError. It is read, not verified."""
        fields = Fields(loads(data, max_bytes=FILE_BYTES), "trust file")
        fields.constant("format", FORMAT)
        chains = tuple(Side.read(entry) for entry in fields.many("chains", max_items=CHAINS))
        fields.done()
        return cls(chains)
