"""The tree over a log, by RFC 6962: one digest that stands for everything in it, and grows with it at the cost of its height.

Only the peaks are kept: the roots of the largest full trees from the left. From them the root follows, and the next leaf joins.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dispatch_protocol.keys import Digest


@dataclass(frozen=True, slots=True)
class Tree:
    """A log of `size` leaves; `peaks` are the roots of its full trees, the largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @property
    def root(self) -> Digest:
        """The digest of the whole log. Source: RFC 6962, section 2.1."""
        if not self.peaks:
            return Digest(hashlib.sha256(b"").digest())
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = _node(peak, found)
        return Digest(found)

    def grown(self, entries: Iterable[Digest]) -> "Tree":
        """Return the log with further entries; each is a digest, hashed once more as a leaf."""
        size, peaks = self.size, list(self.peaks)
        for entry in entries:
            peaks.append(hashlib.sha256(b"\x00" + entry.raw).digest())
            full = size
            while full & 1:  # each full tree of the same height becomes one with the new one
                right, left = peaks.pop(), peaks.pop()
                peaks.append(_node(left, right))
                full >>= 1
            size += 1
        return Tree(size, tuple(peaks))


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


EMPTY: Final = Tree()
