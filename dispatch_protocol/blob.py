"""Blobs: a file sealed in chunks under a random key of its own, to be kept by somebody who must not read it.

The key, the size and the digest stand in the signed body that names the file, the address is what its keeper knows it by.
Each chunk is bound to its place and the last one says that it is the last, so that bytes can be opened as they come and
nothing can be left out, moved, repeated or appended. A key seals one file: it is random, and never made from content.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from dispatch_protocol.errors import LocalError, RefusalCode, RefusedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import BLOB_CHUNK_BYTES, BLOB_TAG_BYTES
from dispatch_protocol.messages.files import KEY_BYTES, Blob

SEALED_CHUNK_BYTES: Final = BLOB_CHUNK_BYTES + BLOB_TAG_BYTES
_COUNTER_BYTES: Final = (
    11  # u88: the number of a chunk, from 0; the twelfth byte of the nonce is 1 for the last
)


def sealed_size(size_bytes: int) -> int:
    """Return how many bytes a file of this size has when it is sealed; an empty file is one empty chunk."""
    chunks = max(1, -(-size_bytes // BLOB_CHUNK_BYTES))
    return size_bytes + chunks * BLOB_TAG_BYTES


class Sealing:
    """Seals one file as its bytes come; `key` is 32 fresh random bytes, LocalError(`blob_key`) for any other length."""

    __slots__ = ("_held", "_key", "_number")

    def __init__(self, key: bytes) -> None:
        """Begin before the first byte."""
        if len(key) != KEY_BYTES:
            raise LocalError("blob_key", f"a blob's key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self._number = 0
        self._held = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Take clear bytes; return the sealed chunks that are known not to be the last."""
        self._held += piece
        sealed = bytearray()
        while len(self._held) > BLOB_CHUNK_BYTES:
            sealed += self._seal(bytes(self._held[:BLOB_CHUNK_BYTES]), last=False)
            del self._held[:BLOB_CHUNK_BYTES]
        return bytes(sealed)

    def finish(self) -> bytes:
        """Return the last chunk."""
        return self._seal(bytes(self._held), last=True)

    def _seal(self, chunk: bytes, *, last: bool) -> bytes:
        nonce = _nonce(self._number, last=last)
        self._number += 1
        return crypto_aead_chacha20poly1305_ietf_encrypt(chunk, b"", nonce, self._key)


def check_sealed(blob: Blob, size_bytes: int, sealed: Iterable[bytes]) -> None:
    """Check what can be known of sealed bytes without opening them (steps 1 and 2 of the list).

    Raises:
        RefusedError: `blob_size`, `blob_address`. Whoever kept or carried the bytes has changed them.
    """
    expected, found, address = sealed_size(size_bytes), 0, hashlib.sha256()
    for piece in sealed:
        found += len(piece)
        if found > expected:
            break
        address.update(piece)
    if found != expected:
        more = "more than " if found > expected else ""
        raise RefusedError(
            RefusalCode.BLOB_SIZE, f"{more}{min(found, expected)} bytes where {expected} belong"
        )
    if address.digest() != blob.address.raw:
        raise RefusedError(RefusalCode.BLOB_ADDRESS, "these are not the bytes that the signed address names")


def open_blob(blob: Blob, size_bytes: int, sha256: Digest, sealed: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the clear bytes of a file (steps 3 and 4 of the list); they count only when the last one has come.

    Raises:
        RefusedError: `blob_chunk`, `blob_digest`. If `check_sealed` has passed, its author sealed another file than
            the one that was signed.
    """
    digest, found = hashlib.sha256(), 0
    for number, (chunk, last) in enumerate(_chunks(sealed)):
        clear = _open_chunk(blob.key, number, chunk, last=last)
        found += len(clear)
        digest.update(clear)
        yield clear
    if found != size_bytes or digest.digest() != sha256.raw:
        raise RefusedError(RefusalCode.BLOB_DIGEST, "what was sealed is not the file that was signed")


def _open_chunk(key: bytes, number: int, chunk: bytes, *, last: bool) -> bytes:
    if len(chunk) < BLOB_TAG_BYTES or (number > 0 and len(chunk) == BLOB_TAG_BYTES):
        raise RefusedError(RefusalCode.BLOB_CHUNK, f"chunk {number} is cut short")
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(chunk, b"", _nonce(number, last=last), key)
    except CryptoError:
        raise RefusedError(
            RefusalCode.BLOB_CHUNK, f"chunk {number} does not open with the signed key"
        ) from None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes((last,))


def _chunks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield sealed chunks, each with whether it is the last; only the last one may be shorter than a full one."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) > SEALED_CHUNK_BYTES:
            yield bytes(held[:SEALED_CHUNK_BYTES]), False
            del held[:SEALED_CHUNK_BYTES]
    yield bytes(held), True
