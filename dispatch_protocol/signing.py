"""Signatures: sign the exact bytes, keep the exact bytes, verify, and only then parse.

DSSE v1 binds the payload type into what is signed. The one Ed25519 verifier is libsodium's, because libraries disagree
on edge-case signatures and two answers for one document would be two histories. Lengths are counted in bytes: a type
with a non-ASCII letter is a test vector.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nacl.bindings import crypto_sign, crypto_sign_open
from nacl.exceptions import CryptoError

from dispatch_protocol.encoding import JSON, Fields, b64u, dumps, loads
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, RecoveryKey, RecoveryPublic, SigningKey
from dispatch_protocol.limits import BODY_BYTES, DOCUMENT_BYTES, SIGNATURES, TYPE_BYTES

SIGNATURE_BYTES: Final = 64


def pae(payload_type: str, body: bytes) -> bytes:
    """Return the pre-authentication encoding of DSSE v1: what is signed and what is hashed.

    `"DSSEv1" SP len(type) SP type SP len(body) SP body`, lengths in bytes, decimal. Source: DSSE protocol.md.
    """
    name = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)


@dataclass(frozen=True, slots=True)
class Signed:
    """One body with the signature of one device: the inside of every envelope (S in docs/PROTOCOL.md)."""

    payload_type: str
    body: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _check_payload(self.payload_type, self.body)
        _check_signature(self.signature)

    @property
    def pae(self) -> bytes:
        """The bytes that were signed."""
        return pae(self.payload_type, self.body)

    @property
    def digest(self) -> Digest:
        """D: the identity of this document everywhere inside."""
        return Digest(hashlib.sha256(self.pae).digest())

    def encode(self) -> bytes:
        """Write `u16 |T| T u32 |B| B signature`, big-endian."""
        name = self.payload_type.encode("utf-8")
        return b"".join((len(name).to_bytes(2), name, len(self.body).to_bytes(4), self.body, self.signature))

    @classmethod
    def decode(cls, data: bytes) -> "Signed":
        """Read what `encode` writes, and nothing after it; raises MalformedError."""
        signed, end = cls.read(data)
        if end != len(data):
            raise MalformedError(f"{len(data) - end} bytes after a signed document")
        return signed

    @classmethod
    def read(cls, data: bytes) -> "tuple[Signed, int]":
        """Read a signed document from the start of `data`; returns it and where it ends. Raises MalformedError."""
        body_at = 2 + int.from_bytes(data[:2]) + 4
        signature_at = body_at + int.from_bytes(data[body_at - 4 : body_at])
        end = signature_at + SIGNATURE_BYTES
        if end > len(data):
            raise MalformedError("a signed document that is cut short")
        try:
            payload_type = data[2 : body_at - 4].decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("a payload type that is not UTF-8") from None
        return cls(payload_type, data[body_at:signature_at], data[signature_at:end]), end


@dataclass(frozen=True, slots=True)
class Signature:
    """One signer of a document: an Ed25519 public key (of a device or for recovery) and its signature."""

    signer: bytes
    value: bytes

    def __post_init__(self) -> None:
        if len(self.signer) != DeviceId.LENGTH:
            raise MalformedError(f"a signer of {len(self.signer)} bytes where {DeviceId.LENGTH} belong")
        _check_signature(self.value)


@dataclass(frozen=True, slots=True)
class Document:
    """One body with the signatures of one or more keys: a DSSE envelope in clear (links, invitations, proofs)."""

    payload_type: str
    body: bytes
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        _check_payload(self.payload_type, self.body)
        if not 1 <= len(self.signatures) <= SIGNATURES:
            raise MalformedError(f"a document with {len(self.signatures)} signatures")
        if len({signature.signer for signature in self.signatures}) != len(self.signatures):
            raise MalformedError("a document with two signatures of one key")

    @property
    def digest(self) -> Digest:
        """SHA-256 of the pre-authentication encoding; the signatures are no part of it."""
        return Digest(hashlib.sha256(pae(self.payload_type, self.body)).digest())

    @property
    def signers(self) -> frozenset[bytes]:
        """The public keys that claim to have signed; `verify_document` says whether they have."""
        return frozenset(signature.signer for signature in self.signatures)

    def to_json(self) -> dict[str, JSON]:
        """Return the DSSE JSON form: `payloadType`, `payload` and `signatures` of `keyid` (hex) and `sig`."""
        return {
            "payloadType": self.payload_type,
            "payload": b64u(self.body),
            "signatures": [
                {"keyid": signature.signer.hex(), "sig": b64u(signature.value)}
                for signature in self.signatures
            ],
        }

    @classmethod
    def from_json(cls, value: JSON) -> "Document":
        """Read the DSSE JSON form strictly; raises MalformedError."""
        fields = Fields(value, "document")
        payload_type = fields.text("payloadType", max_chars=TYPE_BYTES)
        body = fields.base64("payload", max_bytes=BODY_BYTES)
        signatures = []
        for entry in fields.many("signatures", max_items=SIGNATURES):
            signer = entry.hex("keyid", DeviceId.LENGTH)
            signatures.append(Signature(signer, entry.base64("sig", length=SIGNATURE_BYTES)))
            entry.done()
        fields.done()
        return cls(payload_type, body, tuple(signatures))

    def encode(self) -> bytes:
        """Write the DSSE JSON form."""
        return dumps(self.to_json())

    @classmethod
    def decode(cls, data: bytes) -> "Document":
        """Read what `encode` writes; raises MalformedError."""
        return cls.from_json(loads(data, max_bytes=DOCUMENT_BYTES))


def _check_payload(payload_type: str, body: bytes) -> None:
    """Refuse a type or a body beyond its bounds."""
    if not 1 <= len(payload_type.encode("utf-8")) <= TYPE_BYTES:
        raise MalformedError(f"a payload type that is empty or longer than {TYPE_BYTES} bytes")
    if len(body) > BODY_BYTES:
        raise MalformedError(f"a body of {len(body)} bytes; at most {BODY_BYTES} are signed")


def _check_signature(value: bytes) -> None:
    """Refuse a signature of another length: libsodium is asked only about 64 bytes."""
    if len(value) != SIGNATURE_BYTES:
        raise MalformedError(f"a signature of {len(value)} bytes where {SIGNATURE_BYTES} belong")


def _sign(key: SigningKey | RecoveryKey, message: bytes) -> bytes:
    """Make one Ed25519 signature (RFC 8032); it is deterministic, so vectors can be rebuilt."""
    return crypto_sign(message, key.expanded)[:SIGNATURE_BYTES]


def _verify(signer: bytes, message: bytes, signature: bytes) -> None:
    """Check one Ed25519 signature; both lengths were checked by the types that carry them."""
    try:
        crypto_sign_open(signature + message, signer)
    except (CryptoError, ValueError):
        raise RefusedError(RefusalCode.SIGNATURE_BAD, f"no signature of {signer.hex()}") from None


def sign(key: SigningKey, payload_type: str, body: bytes) -> Signed:
    """Sign one body as one payload type."""
    return Signed(payload_type, body, _sign(key, pae(payload_type, body)))


def verify(signer: DeviceId, signed: Signed) -> None:
    """Check that this device signed exactly these bytes; raises RefusedError(`signature_bad`)."""
    _verify(signer.raw, signed.pae, signed.signature)


def sign_document(keys: Sequence[SigningKey | RecoveryKey], payload_type: str, body: bytes) -> Document:
    """Sign one body with several keys, in their order."""
    message = pae(payload_type, body)
    signatures = tuple(Signature(key.signer, _sign(key, message)) for key in keys)
    return Document(payload_type, body, signatures)


def verify_document(signers: Sequence[DeviceId | RecoveryPublic], document: Document) -> None:
    """Check that exactly these keys signed the document, each of them validly.

    Raises RefusedError(`signature_bad`) for a missing, a surplus or an invalid signature.
    """
    if document.signers != {signer.raw for signer in signers}:
        raise RefusedError(RefusalCode.SIGNATURE_BAD, "the signers are not those that this document needs")
    message = pae(document.payload_type, document.body)
    for signature in document.signatures:
        _verify(signature.signer, message, signature.value)


def dispatch_id(digest: Digest) -> uuid.UUID:
    """Return the handle that people type for a dispatch: a UUIDv8 (RFC 9562) made from the first 16 bytes of D."""
    return uuid.UUID(bytes=_uuid8(digest))


def edge_id(digest: Digest) -> EdgeId:
    """Return the id of an edge, and of its invitation: made from the invitation's D in the same way."""
    return EdgeId(_uuid8(digest))


def _uuid8(digest: Digest) -> bytes:
    """Return 16 bytes of a digest with the version and variant bits of a UUIDv8."""
    raw = bytearray(digest.raw[:16])
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return bytes(raw)
