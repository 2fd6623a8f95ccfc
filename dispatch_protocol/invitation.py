"""First contact: the invitation and its token, the acceptance and the confirmation, and the codes that bind them.

An invitation is a signed document in clear. Its token adds what no broker sees: the inviter's fingerprint and a
128-bit secret. Whoever proves the secret in the acceptance was given the token, and whoever proves it in the
confirmation gave it, so both sides may pin each other's chains although they never met.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dispatch_protocol.body import read_body, write_body
from dispatch_protocol.broker_url import check_broker_url
from dispatch_protocol.chain import read_links, write_links
from dispatch_protocol.encoding import JSON, Fields, b64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import NONCE_BYTES, Head, Party
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.limits import ADDRESS_CHARS, CHAIN_LINKS, INVITATION_S, URL_CHARS
from dispatch_protocol.signing import Document

MAC_BYTES: Final = 32


class MacRule(StrEnum):
    """Whether an acceptance must prove the secret; optional only for an invitation that was mailed."""

    REQUIRED = "required"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationDocument:
    """What everybody may read of an invitation: who invites whom, over which broker, and until when."""

    nonce: bytes
    sender: Party
    from_email: str
    to_email: str
    broker: str
    mac: MacRule
    created_ms: int
    expires_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "nonce": b64u(self.nonce),
            "from": self.sender.write(),
            "from_email": self.from_email,
            "to_email": self.to_email,
            "broker": self.broker,
            "mac": self.mac.value,
            "created": self.created_ms,
            "expires": self.expires_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> "InvitationDocument":
        """Read an invitation strictly; raises MalformedError."""
        invitation = cls(
            nonce=fields.base64("nonce", length=NONCE_BYTES),
            sender=Party.read(fields.fields("from")),
            from_email=read_address(fields, "from_email"),
            to_email=read_address(fields, "to_email"),
            broker=check_broker_url(fields.text("broker", max_chars=URL_CHARS)),
            mac=fields.choice("mac", MacRule),
            created_ms=fields.integer("created"),
            expires_ms=fields.integer("expires"),
        )
        if not 0 < invitation.expires_ms - invitation.created_ms <= INVITATION_S * 1000:
            raise MalformedError("an invitation that lives longer than seven days, or not at all")
        return invitation

    def encode(self) -> bytes:
        """Return the body to sign; raises LocalError if no reader would take it."""
        return write_body(self.write(), "invitation", InvitationDocument.read)

    @classmethod
    def decode(cls, body: bytes) -> "InvitationDocument":
        """Read a signed body; raises MalformedError or RefusedError(`unsupported`)."""
        return read_body(body, "invitation", cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The invitee's yes: its chain and its grant word for word, and the code that proves the token.

    `head.sender` is the acceptor, `head.recipient` the inviter. `mac` is None only when no token was used. Its signer is
    verified with the carried chain, see `first_contact.verify_acceptance`.
    """

    head: Head
    invitation: Digest
    from_email: str
    to_email: str
    links: tuple[Document, ...]
    grant: Document
    mac: bytes | None

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "invitation": self.invitation.hex,
            "from_email": self.from_email,
            "to_email": self.to_email,
            "links": write_links(self.links),
            "grant": self.grant.to_json(),
            "mac": None if self.mac is None else b64u(self.mac),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Acceptance":
        """Read an acceptance strictly; raises MalformedError."""
        return cls(
            head=_read_head(fields),
            invitation=Digest(fields.hex("invitation", Digest.LENGTH)),
            from_email=read_address(fields, "from_email"),
            to_email=read_address(fields, "to_email"),
            links=read_links(fields.items("links", max_items=CHAIN_LINKS, min_items=1)),
            grant=Document.from_json(fields.raw("grant")),
            mac=fields.optional(fields.base64, "mac", length=MAC_BYTES),
        )

    @classmethod
    def decode(cls, body: bytes) -> "Acceptance":
        """Read a body; raises MalformedError or RefusedError(`unsupported`)."""
        return read_body(body, "acceptance", cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The inviter's word that its device has checked the acceptance; `mac` is None only when no token was used.

    `offer` is a first grant for the way back, on the edge that is made from the acceptance: what the acceptor may do.
    """

    head: Head
    invitation: Digest
    acceptance: Digest
    mac: bytes | None
    offer: Document | None = None

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "invitation": self.invitation.hex,
            "acceptance": self.acceptance.hex,
            "mac": None if self.mac is None else b64u(self.mac),
            "offer": None if self.offer is None else self.offer.to_json(),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Confirmation":
        """Read a confirmation strictly; raises MalformedError."""
        return cls(
            head=_read_head(fields),
            invitation=Digest(fields.hex("invitation", Digest.LENGTH)),
            acceptance=Digest(fields.hex("acceptance", Digest.LENGTH)),
            mac=fields.optional(fields.base64, "mac", length=MAC_BYTES),
            offer=_read_offer(fields),
        )

    @classmethod
    def decode(cls, body: bytes) -> "Confirmation":
        """Read a body; raises MalformedError or RefusedError(`unsupported`)."""
        return read_body(body, "confirmation", cls.read)


def _read_offer(fields: Fields) -> Document | None:
    offer = fields.raw("offer")
    return None if offer is None else Document.from_json(offer)


def _read_head(fields: Fields) -> Head:
    head = Head.read(fields)
    if head.edge == EdgeId.SELF or head.re != Digest.ZERO:
        raise MalformedError("a first contact stands on its edge and concerns no dispatch")
    return head


def read_address(fields: Fields, name: str) -> str:
    """Read an address in its one spelling; raises MalformedError."""
    address = fields.text(name, max_chars=ADDRESS_CHARS)
    if not is_address(address):
        raise MalformedError(f"{fields.where}.{name} is no lower-case address")
    return address


def is_address(text: str) -> bool:
    """Return whether a text is an address as documents spell it: lower case, one `@`, no white space or control."""
    name, at, host = text.partition("@")
    plain = text.isprintable() and " " not in text and text == text.lower()
    return plain and bool(name and at and host) and "@" not in host
