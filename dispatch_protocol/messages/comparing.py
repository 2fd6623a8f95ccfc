"""What two people's devices say to compare who they are: first each a commitment, then each what it was to.

The order is the point: nobody who sits between them learns one side's random bytes before being bound to its own, so
it cannot choose them so that both sides see the same words. `dispatch_protocol.compare` turns them into words.
"""

from dataclasses import dataclass
from typing import Final

from dispatch_protocol.encoding import JSON, Fields, b64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head
from dispatch_protocol.invitation import read_address
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.limits import COMPARISON_S

RANDOM_BYTES: Final = 32
COMMITMENT_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The wish to compare: whom the sender takes both for, and a commitment to its random bytes."""

    head: Head
    from_email: str
    to_email: str
    commitment: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "from_email": self.from_email,
            "to_email": self.to_email,
            "commitment": b64u(self.commitment),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Comparison":
        """Read a comparison strictly; raises MalformedError."""
        return cls(
            head=_read_head(fields),
            from_email=read_address(fields, "from_email"),
            to_email=read_address(fields, "to_email"),
            commitment=fields.base64("commitment", length=COMMITMENT_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """The random bytes to which `mine`, a comparison of the sender's, is bound; `yours` is the one that it answers."""

    head: Head
    mine: Digest
    yours: Digest
    random: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "mine": self.mine.hex,
            "yours": self.yours.hex,
            "random": b64u(self.random),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Reveal":
        """Read a reveal strictly; raises MalformedError."""
        return cls(
            head=_read_head(fields),
            mine=Digest(fields.hex("mine", Digest.LENGTH)),
            yours=Digest(fields.hex("yours", Digest.LENGTH)),
            random=fields.base64("random", length=RANDOM_BYTES),
        )


def _read_head(fields: Fields) -> Head:
    head = Head.read(fields)
    if head.edge == EdgeId.SELF or head.re != Digest.ZERO:
        raise MalformedError("a comparison stands on an edge and concerns no dispatch")
    if head.expires_ms != head.created_ms + COMPARISON_S * 1000:
        raise MalformedError("a comparison that does not live exactly seven days")
    return head
