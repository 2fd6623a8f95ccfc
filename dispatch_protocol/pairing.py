"""Pairing: how a new machine and one that is in an identity's chain agree, through a broker that may lie, to belong together.

Four messages and a verdict, each under a code that only holders of the pairing code can make: the old machine offers and commits to
a nonce; the new one joins with a link that it has signed itself, and its own nonce; the old one reveals; both show the
same six digits, a person compares them, and only then the old one signs the link too and welcomes the new one with it.
What its person has found the new one says as a verdict; after a no the old one does not sign.
Whoever stands between them, even with a leaked code, has one try at a number that neither side lets it choose: the old
side's nonce is fixed before the new side's is known, and both stand in the digits with everything that was said.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from dispatch_protocol.body import read_body, write_body
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON, Fields, b64u, dumps, loads
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.hkdf import derive
from dispatch_protocol.keys import DeviceId, Digest, Genesis, SealingPublic, SigningKey
from dispatch_protocol.limits import ADDRESS_CHARS
from dispatch_protocol.links import (
    LINK_TYPE,
    AddDeviceLink,
    Role,
    read_link,
    read_roles,
    sign_link,
    write_roles,
)
from dispatch_protocol.pairing_code import PairingCode
from dispatch_protocol.signing import Document, sign_document, verify_document

NONCE_BYTES: Final = 32
MESSAGE_BYTES: Final = 8 * 1024  # one message of a pairing, as it lies at the broker
DIGITS: Final = 6
_COMMIT: Final = b"dispatch/v1/pairing/commit"
_COMPARE: Final = b"dispatch/v1/pairing/compare"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The first word, of the old machine: which identity is to be joined, where its chain stands, and with which roles."""

    genesis: Genesis
    head: Digest
    device: DeviceId
    email: str
    roles: frozenset[Role]
    commit: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "genesis": self.genesis.hex,
            "head": self.head.hex,
            "device": self.device.hex,
            "email": self.email,
            "roles": write_roles(self.roles),
            "commit": b64u(self.commit),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Offer":
        """Read an offer strictly; raises MalformedError."""
        return cls(
            genesis=Genesis(fields.hex("genesis", Genesis.LENGTH)),
            head=Digest(fields.hex("head", Digest.LENGTH)),
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            email=fields.text("email", min_chars=3, max_chars=ADDRESS_CHARS),
            roles=read_roles(fields),
            commit=fields.base64("commit", length=NONCE_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The answer of the new machine: the link that adds it, signed by itself alone so far, and its nonce."""

    link: Document
    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {"link": self.link.to_json(), "nonce": b64u(self.nonce)}

    @classmethod
    def read(cls, fields: Fields) -> "Join":
        """Read a join strictly; raises MalformedError."""
        return cls(
            link=Document.from_json(fields.raw("link")), nonce=fields.base64("nonce", length=NONCE_BYTES)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """The old machine's nonce, to which it had committed before it knew the new one's."""

    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {"nonce": b64u(self.nonce)}

    @classmethod
    def read(cls, fields: Fields) -> "Reveal":
        """Read a reveal strictly; raises MalformedError."""
        return cls(nonce=fields.base64("nonce", length=NONCE_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The last word: the link as both machines have signed it."""

    link: Document

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {"link": self.link.to_json()}

    @classmethod
    def read(cls, fields: Fields) -> "Welcome":
        """Read a welcome strictly; raises MalformedError."""
        return cls(link=Document.from_json(fields.raw("link")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the person at the new machine has found: whether both show the same number. A pairing ends at a no."""

    same: bool

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {"same": self.same}

    @classmethod
    def read(cls, fields: Fields) -> "Verdict":
        """Read a verdict strictly; raises MalformedError."""
        return cls(same=fields.boolean("same"))


Step = Offer | Join | Reveal | Welcome | Verdict


def say(code: PairingCode, step: Step) -> str:
    """Write one message: its body, and the code under it that proves the pairing code."""
    name = type(step).__name__.lower()
    body = write_body(step.write(), name, type(step).read, max_bytes=MESSAGE_BYTES)
    mac = hmac.digest(code.key(name), body, "sha256")
    return dumps({"body": b64u(body), "mac": b64u(mac)}).decode("ascii")


def hear(code: PairingCode, message: str, read: Callable[[Fields], T], name: str) -> T:
    """Read the message of one step.

    Raises:
        MalformedError: no message, or none of this step.
        RefusedError: `mac_bad`, its maker did not hold the pairing code.
    """
    fields = Fields(loads(message.encode("utf-8"), max_bytes=2 * MESSAGE_BYTES), name)
    body, mac = fields.base64("body", max_bytes=MESSAGE_BYTES), fields.base64("mac", length=32)
    fields.done()
    if not hmac.compare_digest(mac, hmac.digest(code.key(name), body, "sha256")):
        raise RefusedError(RefusalCode.MAC_BAD, "its maker does not hold this pairing code")
    return read_body(body, name, read, max_bytes=MESSAGE_BYTES)


def hear_offer(code: PairingCode, message: str) -> Offer:
    """Read an offer; raises as `hear`."""
    return hear(code, message, Offer.read, "offer")


def hear_join(code: PairingCode, message: str, offer: Offer, chain: Chain) -> Join:
    """Read a join and check that its link adds its own signer, once, in the place and with the roles that were offered.

    A machine that did not hear its welcome joins again with the link that the chain has already.

    Raises:
        MalformedError: it cannot be read.
        RefusedError: `mac_bad`, `chain_broken` or `signature_bad`.
    """
    join = hear(code, message, Join.read, "join")
    link = read_link(join.link)
    if not isinstance(link, AddDeviceLink):
        raise RefusedError(RefusalCode.CHAIN_BROKEN, "a join with a link that adds no device")
    again = join.link.digest in chain.heads and link.device in chain.devices
    if not again and (link.prev, link.roles) != (offer.head, offer.roles):
        raise RefusedError(RefusalCode.CHAIN_BROKEN, "a join with another link than the one that was offered")
    if not again and any(link.device in state for state in chain.states):
        raise RefusedError(RefusalCode.CHAIN_BROKEN, "a device that was in the chain before")
    verify_document((link.device,), join.link)
    return join


def hear_reveal(code: PairingCode, message: str, offer: Offer) -> Reveal:
    """Read a reveal; raises as `hear`, and RefusedError `mac_bad` if it is not what was committed to."""
    reveal = hear(code, message, Reveal.read, "reveal")
    if not hmac.compare_digest(commitment(reveal.nonce), offer.commit):
        raise RefusedError(RefusalCode.MAC_BAD, "another nonce than the one that was committed to")
    return reveal


def hear_welcome(code: PairingCode, message: str, join: Join, chain: Chain) -> Chain:
    """Read a welcome and return the chain with the new device in it.

    Raises:
        MalformedError: it cannot be read.
        RefusedError: `mac_bad`, `chain_broken` for another link than the one this machine signed, `signature_bad`.
    """
    link = hear(code, message, Welcome.read, "welcome").link
    if link.digest != join.link.digest:
        raise RefusedError(
            RefusalCode.CHAIN_BROKEN, "a welcome with another link than this machine has signed"
        )
    return chain if link.digest in chain.heads else chain.extend((link,))


def hear_verdict(code: PairingCode, message: str) -> Verdict:
    """Read a verdict; raises as `hear`."""
    return hear(code, message, Verdict.read, "verdict")


def rejoining_link(chain: Chain, signing: SigningKey) -> Document | None:
    """Return the link by which this device is in a chain already, signed by it alone as in its first join, or None."""
    for document in chain.links[1:]:
        link = read_link(document)
        if isinstance(link, AddDeviceLink) and link.device == signing.device and link.device in chain.devices:
            return sign_document((signing,), LINK_TYPE, document.body)
    return None


def joining_link(
    offer: Offer, signing: SigningKey, sealing: SealingPublic, *, created_ms: int, nonce: bytes
) -> Document:
    """Return the link that adds a new device where the offer says, signed by that device alone so far."""
    link = AddDeviceLink(
        prev=offer.head,
        device=signing.device,
        sealing=sealing,
        roles=offer.roles,
        created_ms=created_ms,
        nonce=nonce,
    )
    return sign_link(link, (signing,))


def countersigned(join: Join, signing: SigningKey) -> Document:
    """Return the link of a join with the signature of a device that may add it."""
    own = sign_document((signing,), LINK_TYPE, join.link.body)
    return Document(LINK_TYPE, join.link.body, own.signatures + join.link.signatures)


def commitment(nonce: bytes) -> bytes:
    """Return what is said of a nonce before it is said."""
    return hashlib.sha256(_COMMIT + nonce).digest()


def comparison(offer: Offer, join: Join, reveal: Reveal) -> str:
    """Return the six digits that both machines show; whoever is between them has one try in a million."""
    said = dumps({"offer": offer.write(), "join": join.write()})
    info = _COMPARE + hashlib.sha256(said).digest()
    number = int.from_bytes(derive(reveal.nonce + join.nonce, info=info), "big") % 10**DIGITS
    return f"{number:0{DIGITS}}"
