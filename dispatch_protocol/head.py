"""The head that every message between two identities begins with: who says it, to whom, about what, and until when.

It repeats what the envelope's header says, inside the signed bytes, so that nothing can be re-addressed, re-dated or
moved to another edge by whoever carries it.
"""

from dataclasses import dataclass
from typing import Final

from dispatch_protocol.encoding import JSON, Fields, b64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis

NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Party:
    """One signing side: an identity, the device that signs, and the head of its chain as that device knows it."""

    identity: Genesis
    device: DeviceId
    head: Digest

    def write(self) -> dict[str, JSON]:
        """Return the party as JSON."""
        return {"identity": self.identity.hex, "device": self.device.hex, "head": self.head.hex}

    @classmethod
    def read(cls, fields: Fields) -> "Party":
        """Read a party strictly; raises MalformedError."""
        party = cls(
            identity=Genesis(fields.hex("identity", 32)),
            device=DeviceId(fields.hex("device", 32)),
            head=Digest(fields.hex("head", 32)),
        )
        fields.done()
        return party


@dataclass(frozen=True, slots=True)
class Recipient:
    """The other side: an identity and the head of its chain as the sender knows it."""

    identity: Genesis
    head: Digest

    def write(self) -> dict[str, JSON]:
        """Return the recipient as JSON."""
        return {"identity": self.identity.hex, "head": self.head.hex}

    @classmethod
    def read(cls, fields: Fields) -> "Recipient":
        """Read a recipient strictly; raises MalformedError."""
        recipient = cls(identity=Genesis(fields.hex("identity", 32)), head=Digest(fields.hex("head", 32)))
        fields.done()
        return recipient


@dataclass(frozen=True, slots=True)
class Head:
    """What every body begins with.

    `nonce` is 16 random bytes; `re` is the digest of the dispatch this concerns, or `Digest.ZERO`; `edge` is
    `EdgeId.SELF` for one's own dispatches; times are milliseconds since 1970, and `expires_ms` 0 means never.
    """

    nonce: bytes
    sender: Party
    recipient: Recipient
    edge: EdgeId
    re: Digest
    created_ms: int
    expires_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the fields that a body begins with, but for its version."""
        return {
            "nonce": b64u(self.nonce),
            "from": self.sender.write(),
            "to": self.recipient.write(),
            "edge": self.edge.hex,
            "re": self.re.hex,
            "created": self.created_ms,
            "expires": self.expires_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Head":
        """Take the head's fields out of a body; raises MalformedError, also for an expiry not after the creation."""
        head = cls(
            nonce=fields.base64("nonce", length=NONCE_BYTES),
            sender=Party.read(fields.fields("from")),
            recipient=Recipient.read(fields.fields("to")),
            edge=EdgeId(fields.hex("edge", EdgeId.LENGTH)),
            re=Digest(fields.hex("re", 32)),
            created_ms=fields.integer("created"),
            expires_ms=fields.integer("expires"),
        )
        if head.expires_ms and head.expires_ms <= head.created_ms:
            raise MalformedError(f"{fields.where} expires before it was created")
        return head


def concerning(head: Head) -> Head:
    """Return the head of a body that must concern a dispatch; raises MalformedError if it names none."""
    if head.re == Digest.ZERO:
        raise MalformedError("an answer or a follow-on that concerns no dispatch")
    return head
