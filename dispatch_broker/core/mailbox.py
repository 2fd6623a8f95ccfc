"""How a mailbox is emptied towards one connection: in order, a bounded part at a time, forgotten once acknowledged.

A connection holds only numbers here; envelopes are read from the store when they can be sent. So a reader that is slow,
or never acknowledges, costs one window of numbers and nobody else anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatch_broker.core.quota import Usage
from dispatch_protocol.envelope import Header

# Kept beyond its own end, so that a recipient who comes back late can still say, signed, that it came too late.
_AFTER_EXPIRY_MS = 86_400_000
_LONGEST_MS = 30 * 86_400_000
_BATCH = Usage(64, 256 * 1024)  # what one message carries at most


def ttl_ms(header: Header, now_ms: int) -> int:
    """Until when an undelivered envelope is kept, by the broker's clock, which decides about nothing else of it."""
    longest_ms = now_ms + _LONGEST_MS
    if header.expires_ms == 0:
        return longest_ms
    return min(max(header.expires_ms, now_ms) + _AFTER_EXPIRY_MS, longest_ms)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One waiting envelope: its place in the mailbox and its size."""

    seq: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Load:
    """Read the parcels after `after_seq`, in order, up to these rows and bytes, and one in any case."""

    after_seq: int
    rows: int
    size_bytes: int


class Window:
    """What one connection has been sent and not acknowledged yet, and how far it has been served."""

    __slots__ = ("_behind", "_cursor", "_flying", "_flying_bytes", "_quota")

    def __init__(self, quota: Usage) -> None:
        self._quota = quota
        self._behind = True
        self._cursor = 0
        self._flying: dict[int, int] = {}
        self._flying_bytes = 0

    def arrived(self) -> None:
        """Note that something may wait beyond what was served."""
        self._behind = True

    def load(self) -> Load | None:
        """Say what to read next, or None when nothing waits or the window is full."""
        rows = min(_BATCH.rows, self._quota.rows - len(self._flying))
        size_bytes = min(_BATCH.size_bytes, self._quota.size_bytes - self._flying_bytes)
        if not self._behind or rows <= 0 or size_bytes <= 0:
            return None
        return Load(self._cursor, rows, size_bytes)

    def loaded(self, parcels: Sequence[Parcel]) -> None:
        """Note what was read for the last `load` and is being sent; nothing means that all was served."""
        if not parcels:
            self._behind = False
            return
        self._cursor = parcels[-1].seq
        for parcel in parcels:
            self._flying[parcel.seq] = parcel.size_bytes
            self._flying_bytes += parcel.size_bytes

    def acknowledged(self, seqs: Iterable[int]) -> tuple[int, ...]:
        """Return those of `seqs` that this connection was sent and had not acknowledged: they may be forgotten."""
        done = []
        for seq in seqs:
            size_bytes = self._flying.pop(seq, None)
            if size_bytes is not None:
                self._flying_bytes -= size_bytes
                done.append(seq)
        return tuple(done)
