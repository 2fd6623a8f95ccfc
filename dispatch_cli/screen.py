"""The two streams of a command: where lines go, in which colours, and how wide they may be.

Colour is asked of the environment once: `NO_COLOR` forbids it, `FORCE_COLOR` demands it, `TERM=dumb` and a
pipe do without. The eight colours of every terminal are enough for meaning, so one-shot output needs no
library; `rich` is imported for the one line that moves (`moving.py`), and then only on a terminal.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Protocol, TextIO

from dispatch_cli.render.lines import Line, Tone, plain

_CODES = {
    Tone.STRONG: "1",
    Tone.QUIET: "2",
    Tone.WAITING: "33",
    Tone.RUNNING: "36",
    Tone.DONE: "32",
    Tone.FAILED: "31",
    Tone.DANGER: "1;31",
    Tone.COMMAND: "1",
    Tone.ADDED: "32",
    Tone.REMOVED: "31",
    Tone.PAPER: "97;40",  # bright upon black in every theme, because a camera reads it
}
_LEAST_WIDTH = 40
_USUAL_WIDTH = 80


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Say whether the stream should carry colour (no-color.org, force-color.org)."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    return is_terminal(stream) and environ.get("TERM", "dumb") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether a person may be looking at the stream; a closed one shows nothing to anybody."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


class Clearable(Protocol):
    """A line that moves and can be taken away."""

    def clear(self) -> None:
        """Take it away."""
        ...


class Screen:
    """One output stream."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self.stream = stream
        self.is_terminal = is_terminal(stream)
        self.colour = wants_colour(stream, environ)
        # A terminal that can move its cursor can show a line that changes.
        self.can_move = self.is_terminal and environ.get("TERM", "dumb") != "dumb"
        self.moving: Clearable | None = None

    @property
    def width(self) -> int | None:
        """Return the cells of a line now (windows change), or None where nobody looks."""
        if not self.is_terminal:
            return None
        return max(self._columns(), _LEAST_WIDTH)

    def _columns(self) -> int:
        """Return what COLUMNS says, else the terminal (as `shutil` would, which costs 5 ms to import)."""
        said = os.environ.get("COLUMNS", "")
        if said.isascii() and said.isdigit() and int(said) > 0:
            return int(said)
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or _USUAL_WIDTH
        except (OSError, ValueError):
            return _USUAL_WIDTH

    def show(self, lines: Iterable[Line]) -> None:
        """Write lines and flush: whoever waits sees them now."""
        text = "".join(self._painted(row) + "\n" for row in lines)
        if text:
            self.raw(text)

    def raw(self, text: str) -> None:
        """Write text that is already safe, and flush; a moving line makes room first."""
        if self.moving is not None:
            self.moving.clear()
        self.stream.write(text)
        self.stream.flush()

    def _painted(self, row: Line) -> str:
        if not self.colour:
            return plain(row).rstrip()
        return "".join(
            f"\x1b[{_CODES[span.tone]}m{span.text}\x1b[0m" if span.tone in _CODES and span.text else span.text
            for span in row
        )


def standard(stream: TextIO | None) -> TextIO:
    """Return a standard stream that never fails on a character, or a sink where it was closed."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return stream


def screens() -> tuple[Screen, Screen]:
    """Return standard output and standard error."""
    return Screen(standard(sys.stdout), os.environ), Screen(standard(sys.stderr), os.environ)
