"""How far files have come, on the one line that moves: which of how many, and how much of it all.

It is there for whoever looks at a terminal, moves a few times a second and leaves no trace.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Self

from dispatch_cli.invocation import Invocation
from dispatch_cli.moving import Moving
from dispatch_cli.render import times
from dispatch_cli.render.lines import Span, Tone, line
from dispatch_cli.render.text import one_line

_STEP_S = 0.1


class Transfer:
    """Some files on their way; `doing` is the word for it, `total_bytes` what all of them have."""

    def __init__(self, invocation: Invocation, doing: str, count: int, total_bytes: int) -> None:
        self._moving = Moving(invocation.err)
        self._shown = not invocation.options.json
        self._doing = doing
        self._count = count
        self._total_bytes = total_bytes
        self._came: dict[int, int] = {}  # bytes of each file; one that is begun anew counts anew
        self._told_s = 0.0

    def __enter__(self) -> Self:
        """Begin with nothing shown."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no trace."""
        self._moving.clear()

    def file(self, number: int, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the pieces of one file on, the first is number 1, and tell how far they have come."""
        self._came[number] = 0
        self._tell(number, name)
        for piece in pieces:
            yield piece
            self._came[number] += len(piece)
            if time.monotonic() - self._told_s >= _STEP_S:
                self._tell(number, name)

    def _tell(self, number: int, name: str) -> None:
        if not self._shown:
            return
        self._told_s = time.monotonic()
        place = f"{number} of {self._count} · " if self._count > 1 else ""
        said = f" · {place}{times.size(sum(self._came.values()))} of {times.size(self._total_bytes)}"
        self._moving.set(line(f"  {self._doing} {one_line(name)}", Span(said, Tone.QUIET)))
