"""The bytes half of the independent opener: steps 1 to 6, and the primitives that the other steps need.

Everything cryptographic comes from `cryptography`; nothing comes from the product.
"""

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Json = dict[str, Any]

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
HEADER = struct.Struct(">4sBB32s32s32s32s16sQQI32sB")
LATEST = 2**53 - 1


class RefusalError(Exception):
    """The step of the list that refuses, and its code."""

    def __init__(self, step: int, code: str) -> None:
        super().__init__(f"{step} {code}")
        self.step, self.code = step, code


@dataclass
class Header:
    """The clear part of an envelope; ids are hex as everywhere in JSON."""

    klass: int
    digest: str
    re: str
    device: str
    recipient: str
    edge: str
    created: int
    expires: int
    size: int
    commit: bytes
    devices: list[str]


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, info).derive(secret)


def pae(payload_type: str, body: bytes) -> bytes:
    name = payload_type.encode()
    return b" ".join((b"DSSEv1", str(len(name)).encode(), name, str(len(body)).encode(), body))


def padme(length: int) -> int:
    length = max(length, 1024)
    exponent = len(f"{length:b}") - 1
    step = 2 ** (exponent - len(f"{exponent:b}"))
    return -(-length // step) * step


def signed_by(device: str, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(device)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def split(raw: bytes) -> tuple[Header, bytes, list[bytes], bytes]:
    """Step 1."""
    malformed = RefusalError(1, "malformed")
    if len(raw) < HEADER.size:
        raise malformed
    magic, suite, klass, digest, re, device, recipient, edge, created, expires, size, commit, n = (
        HEADER.unpack(raw[: HEADER.size])
    )
    wraps_at = HEADER.size + 32 * n
    length_at = wraps_at + 80 * n
    if (magic, suite) != (b"DSP1", 1) or not 1 <= klass <= 4 or not 1 <= n <= 32:
        raise malformed
    if len(raw) != length_at + 4 + size or int.from_bytes(raw[length_at : length_at + 4], "big") != size:
        raise malformed
    devices = [raw[at : at + 32].hex() for at in range(HEADER.size, wraps_at, 32)]
    if devices != sorted(set(devices)) or max(created, expires) > LATEST or padme(size - 16) != size - 16:
        raise malformed
    header = Header(
        klass,
        digest.hex(),
        re.hex(),
        device.hex(),
        recipient.hex(),
        edge.hex(),
        created,
        expires,
        size,
        commit,
        devices,
    )
    wraps = [raw[at : at + 80] for at in range(wraps_at, length_at, 80)]
    return header, raw[:wraps_at], wraps, raw[length_at + 4 :]


def unwrap(header: Header, clear: bytes, wraps: list[bytes], opener: Json) -> bytes:
    """Steps 2 and 3."""
    if opener["device"] not in header.devices:
        raise RefusalError(2, "not_listed")
    wrap = wraps[header.devices.index(opener["device"])]
    for secret in opener["sealing_keys"]:
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
        public = private.public_key().public_bytes_raw()
        info = b"dispatch/v1/wrap" + hashlib.sha256(clear).digest()
        info += bytes.fromhex(opener["device"]) + hashlib.sha256(public).digest()
        try:
            return SUITE.decrypt(wrap, private, info)
        except (InvalidTag, ValueError):
            continue
    raise RefusalError(3, "unwrap_failed")


def decrypt(ciphertext: bytes, clear: bytes, key: bytes) -> tuple[str, bytes, bytes]:
    """Steps 5 and 6."""
    payload_key = derive(key, b"", b"dispatch/v1/payload" + hashlib.sha256(clear).digest())
    try:
        plaintext = ChaCha20Poly1305(payload_key).decrypt(bytes(12), ciphertext, clear)
    except InvalidTag:
        raise RefusalError(5, "ciphertext_bad") from None
    body_at = 2 + int.from_bytes(plaintext[:2], "big") + 4
    end = body_at + int.from_bytes(plaintext[body_at - 4 : body_at], "big") + 64
    if len(plaintext) != padme(end) or plaintext[end:].strip(b"\0"):
        raise RefusalError(6, "padding_bad")
    try:
        payload_type = plaintext[2 : body_at - 4].decode()
    except UnicodeDecodeError:
        raise RefusalError(6, "padding_bad") from None
    if not 1 <= body_at - 6 <= 128:
        raise RefusalError(6, "padding_bad")
    return payload_type, plaintext[body_at : end - 64], plaintext[end - 64 : end]


def canonical(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
