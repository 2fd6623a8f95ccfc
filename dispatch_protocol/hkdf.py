"""HKDF with SHA-256 (RFC 5869), over the standard library's HMAC: every derived key and commitment comes from here.

An empty salt is thirty-two zero bytes, as the RFC says; labels are ASCII without a terminator.
"""

import hashlib
import hmac
from typing import Final

HASH_BYTES: Final = 32


def extract(salt: bytes, secret: bytes) -> bytes:
    """Concentrate a secret into one pseudorandom key of 32 bytes (RFC 5869, section 2.2)."""
    return hmac.digest(salt or bytes(HASH_BYTES), secret, hashlib.sha256)


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """Derive `length` bytes, at most 8160, for the purpose that `info` names (RFC 5869, section 2.3)."""
    output, block = b"", b""
    counter = 0
    while len(output) < length:
        counter += 1
        block = hmac.digest(key, block + info + bytes([counter]), hashlib.sha256)
        output += block
    return output[:length]


def derive(secret: bytes, *, salt: bytes = b"", info: bytes, length: int = HASH_BYTES) -> bytes:
    """Extract, then expand: one derived key of `length` bytes."""
    return expand(extract(salt, secret), info, length)
