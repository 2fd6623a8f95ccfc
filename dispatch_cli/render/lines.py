"""The vocabulary of everything printed: a line is a row of spans, and a span is text with a tone.

Colour only carries meaning and is never the only carrier, so a tone names what is meant (waiting, done,
failed); `screen` alone knows which colours stand for it, if any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dispatch_cli.render.text import cells, pad, wrapped


class Tone(Enum):
    """What a piece of text means."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DANGER = "danger"
    COMMAND = "command"
    ADDED = "added"
    REMOVED = "removed"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text with one meaning."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class View:
    """What a renderer may know of the world: cells per line (None: no limit), the time, the home folder."""

    width: int | None
    now_ms: int
    user_home: str


Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """Build a line from plain strings and spans."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def plain(row: Line) -> str:
    """Return the line's text without its tones."""
    return "".join(span.text for span in row)


def width_of(row: Line) -> int:
    """Return how many cells the line takes."""
    return sum(cells(span.text) for span in row)


def quote(text: str, view: View, *, tone: Tone = Tone.PLAIN, indent: str = "  ") -> list[Line]:
    """Return somebody's words, whole, each line behind a bar, so that they cannot pass for ours."""
    bar = f"{indent}│ "
    room = None if view.width is None else max(view.width - cells(bar), 10)
    return [line(Span(bar, Tone.QUIET), Span(row, tone)) for row in wrapped(text, room)]


def following(label: str, command: str) -> Line:
    """Return the next command to type, on a line of its own, ready to copy."""
    return line(f"  {label}   ", Span(command, Tone.COMMAND))


def followings(*pairs: tuple[str, str]) -> list[Line]:
    """Return several next commands, one under the other."""
    widest = max(cells(label) for label, _ in pairs)
    return [following(pad(label, widest), command) for label, command in pairs]


def paragraph(sentence: str, view: View, *, indent: str = "") -> list[Line]:
    """Return a sentence of ours, broken at the width of the screen."""
    room = None if view.width is None else max(view.width - cells(indent), 20)
    return [line(indent + row) for row in wrapped(sentence, room)]


def folded(row: Line, view: View, *, indent: str = "  ") -> list[Line]:
    """Return a line broken at words where the screen is narrower than it, its later rows behind `indent`."""
    if view.width is None or width_of(row) <= view.width:
        return [row]
    whole, at = plain(row), 0
    rows: list[Line] = []
    for piece in wrapped(whole, max(view.width - cells(indent), 20)):
        start = whole.index(piece, at)
        at = start + len(piece)
        rows.append((*line(*([indent] if rows else [])), *_part(row, start, at)))
    return rows


def _part(row: Line, start: int, end: int) -> Line:
    """Return the letters from `start` to `end` of a line, each with its tone."""
    spans: list[Span] = []
    for span in row:
        piece = span.text[max(start, 0) : max(end, 0)]
        spans += [Span(piece, span.tone)] if piece else []
        start, end = start - len(span.text), end - len(span.text)
    return tuple(spans)


def joined(parts: Sequence[Line], separator: str = " · ") -> Line:
    """Join non-empty pieces with a separator."""
    result: list[Span] = []
    for part in parts:
        if not plain(part):
            continue
        if result:
            result.append(Span(separator, Tone.QUIET))
        result.extend(part)
    return tuple(result)
