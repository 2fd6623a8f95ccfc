"""A second reading of the page on sealed files, in a few lines, with another library than the product's."""

import hashlib
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.support.independent_bytes import RefusalError

FULL = 65_536 + 16


def content(size: int) -> bytes:
    """Byte i is i mod 251."""
    return bytes(index % 251 for index in range(size))


def nonce(index: int, last: int) -> bytes:
    """u88 of the chunk's number, then the flag."""
    return index.to_bytes(11, "big") + bytes([last])


def seal(key: bytes, clear: bytes) -> bytes:
    """Seal as the page says: every chunk but the last is full, and an empty file is one empty chunk."""
    places = list(range(0, len(clear), 65_536)) or [0]
    cipher = ChaCha20Poly1305(key)
    return b"".join(
        cipher.encrypt(nonce(index, int(at == places[-1])), clear[at : at + 65_536], None)
        for index, at in enumerate(places)
    )


def unseal(signed: dict[str, Any], raw: bytes) -> bytes:
    """Go down the four steps; raises RefusalError with the step and code of the first that does not hold."""
    chunks = max(1, -(-signed["size"] // 65_536))
    if len(raw) != signed["size"] + 16 * chunks:
        raise RefusalError(1, "blob_size")
    if hashlib.sha256(raw).hexdigest() != signed["address"]:
        raise RefusalError(2, "blob_address")
    cipher = ChaCha20Poly1305(bytes.fromhex(signed["key"]))
    clear = b""
    for index in range(chunks):
        try:
            clear += cipher.decrypt(
                nonce(index, int(index == chunks - 1)), raw[FULL * index : FULL * (index + 1)], None
            )
        except InvalidTag:
            raise RefusalError(3, "blob_chunk") from None
    if hashlib.sha256(clear).hexdigest() != signed["sha256"]:
        raise RefusalError(4, "blob_digest")
    return clear
