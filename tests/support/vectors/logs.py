"""Logs: the root of the tree at every size from none on, over entries that are counted."""

from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY
from tests.support.vectors.fixed import fixed

_SIZES = 17  # over the first two powers of two that a wrong split would show at


def log_vectors() -> dict[str, JSON]:
    """Return one list of entries, and the root of its beginnings."""
    entries = [Digest(fixed(f"entry {number}")) for number in range(_SIZES)]
    return {
        "about": "The log of an edge: `roots[n]` is the root of its first n entries, by RFC 6962.",
        "entries": [entry.hex for entry in entries],
        "roots": [EMPTY.grown(entries[:size]).root.hex for size in range(_SIZES + 1)],
    }
