"""Vectors of sealed files: what opens, and what is refused at which step.

A file of many chunks would make a file of many megabytes: content follows a rule, and damage is a recipe over chunks.
"""

import hashlib

from dispatch_protocol.blob import SEALED_CHUNK_BYTES, Sealing
from dispatch_protocol.encoding import JSON
from dispatch_protocol.limits import BLOB_CHUNK_BYTES
from tests.support.vectors.fixed import fixed

SIZES = (0, 1, 100, BLOB_CHUNK_BYTES - 1, BLOB_CHUNK_BYTES, BLOB_CHUNK_BYTES + 1, 3 * BLOB_CHUNK_BYTES)
_SIZE = 2 * BLOB_CHUNK_BYTES + 100  # of the file that is damaged: two full chunks and a short one

# name, chunks in their new order, bytes cut off the end, bytes put after it, whether the address is that of the
# damaged bytes (then their author did it), under which key it is opened, step, code
_DAMAGED: tuple[tuple[str, tuple[int, ...], int, bytes, bool, str, int, str], ...] = (
    ("the last byte is missing", (0, 1, 2), 1, b"", False, "own", 1, "blob_size"),
    ("the last chunk is missing", (0, 1), 0, b"", False, "own", 1, "blob_size"),
    ("nothing came", (), 0, b"", False, "own", 1, "blob_size"),
    ("a byte too many", (0, 1, 2), 0, b"\0", False, "own", 1, "blob_size"),
    ("an empty chunk too many", (0, 1, 2), 0, bytes(16), False, "own", 1, "blob_size"),
    ("two chunks have changed places", (1, 0, 2), 0, b"", False, "own", 2, "blob_address"),
    ("a chunk comes twice and another never", (0, 0, 2), 0, b"", False, "own", 2, "blob_address"),
    ("its author changed places of chunks", (1, 0, 2), 0, b"", True, "own", 3, "blob_chunk"),
    ("its author repeated a chunk", (0, 0, 2), 0, b"", True, "own", 3, "blob_chunk"),
    ("its author signed another key", (0, 1, 2), 0, b"", True, "other", 3, "blob_chunk"),
    ("its author signed another digest", (0, 1, 2), 0, b"", True, "own", 4, "blob_digest"),
)


def content(size: int) -> bytes:
    """Return the bytes that every vector's file of this size has."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def blob_vectors() -> dict[str, JSON]:
    """Sealed files that open, and damaged ones that do not."""
    return {
        "about": "A file of `size` bytes: byte i is i mod 251. Its chunks are of 65,552 sealed bytes, the last one of the"
        " rest. `head` and `tail` are the first and last 32 sealed bytes. Damage: the chunks in the order `chunks`,"
        " `cut` bytes off the end, `more` after it; then `key`, `sha256` and `address` are what was signed. Hex.",
        "opened": [_opened(size) for size in SIZES],
        "damaged": [_damaged(*each) for each in _DAMAGED],
    }


def _seal(size: int) -> bytes:
    sealing = Sealing(fixed(f"blob {size}"))
    return sealing.feed(content(size)) + sealing.finish()


def _opened(size: int) -> dict[str, JSON]:
    raw = _seal(size)
    return {
        "size": size,
        "key": fixed(f"blob {size}").hex(),
        "sha256": hashlib.sha256(content(size)).hexdigest(),
        "sealed_size": len(raw),
        "address": hashlib.sha256(raw).hexdigest(),
        "head": raw[:32].hex(),
        "tail": raw[-32:].hex(),
    }


def _damaged(
    name: str,
    chunks: tuple[int, ...],
    cut: int,
    more: bytes,
    by_author: bool,
    key: str,
    step: int,
    code: str,
) -> dict[str, JSON]:
    raw = _seal(_SIZE)
    damaged = b"".join(raw[SEALED_CHUNK_BYTES * each :][:SEALED_CHUNK_BYTES] for each in chunks)
    damaged = damaged[: len(damaged) - cut] + more
    signed = content(_SIZE) if code != "blob_digest" else content(_SIZE)[::-1]
    return {
        "name": name,
        "size": _SIZE,
        "sealed_with": fixed(f"blob {_SIZE}").hex(),
        "chunks": list(chunks),
        "cut": cut,
        "more": more.hex(),
        "key": fixed(f"blob {_SIZE}" if key == "own" else "another blob").hex(),
        "sha256": hashlib.sha256(signed).hexdigest(),
        "address": hashlib.sha256(damaged if by_author else raw).hexdigest(),
        "step": step,
        "code": code,
    }
