"""What a process holds in its memory, read from outside as its machine's owner can read it."""

import os
from collections.abc import Collection
from pathlib import Path

_PIECE_BYTES = 8 * 1024 * 1024


def holds(pid: int, needles: Collection[bytes]) -> set[bytes]:
    """Return which needles stand anywhere in the writable memory of a process: heap, stacks, buffers, caches."""
    found: set[bytes] = set()
    longest = max(map(len, needles))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in _writable(pid):
            tail = b""
            for at in range(start, end, _PIECE_BYTES):
                try:
                    piece = tail + os.pread(memory.fileno(), min(_PIECE_BYTES, end - at), at)
                except OSError:
                    break  # a mapping that cannot be read, or that went away meanwhile
                found |= {needle for needle in needles if needle in piece}
                tail = piece[-longest:]
    return found


def _writable(pid: int) -> list[tuple[int, int]]:
    """List the ranges of addresses that the process can write, those it shares with devices left out."""
    ranges = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, mode, *_ = line.split()
        if mode.startswith("rw") and "[vvar" not in line and "/dev/" not in line:
            start, _, end = place.partition("-")
            ranges.append((int(start, 16), int(end, 16)))
    return ranges
