"""Tables that align, fit the width and say where they were cut.

One flexible column gives way when the screen is narrow; without a screen (a pipe) nothing is cut, because
another program may read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dispatch_cli.render.lines import Line, Span, Tone, View, width_of
from dispatch_cli.render.text import cut_end, cut_middle

_GAP = "   "


class Cut(Enum):
    """How a column gives way: not at all, at its end (sentences), in its middle (paths, addresses)."""

    NEVER = "never"
    END = "end"
    MIDDLE = "middle"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, how the column may be cut, and the fewest cells it keeps."""

    heading: str
    cut: Cut = Cut.NEVER
    least: int = 8


def table(columns: Sequence[Column], rows: Sequence[Sequence[Line]], view: View) -> list[Line]:
    """Lay out rows of cells under quiet headings."""
    widths = [
        max([len(column.heading), *(width_of(row[index]) for row in rows)])
        for index, column in enumerate(columns)
    ]
    if view.width is not None:
        _shrink(columns, widths, view.width - len(_GAP) * (len(columns) - 1))
    heading = [(Span(column.heading, Tone.QUIET),) for column in columns]
    return [_row(columns, widths, cells_) for cells_ in [heading, *rows]]


def _shrink(columns: Sequence[Column], widths: list[int], room: int) -> None:
    """Take cells from the widest column that may give way until the row fits or none can."""
    while sum(widths) > room:
        able = [
            index
            for index, column in enumerate(columns)
            if column.cut is not Cut.NEVER and widths[index] > max(column.least, len(column.heading))
        ]
        if not able:
            return
        widest = max(able, key=lambda index: widths[index])
        widths[widest] -= 1


def _row(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Line]) -> Line:
    spans: list[Span] = []
    last = len(columns) - 1
    for index, column in enumerate(columns):
        cell = _fitted(row[index], column.cut, widths[index])
        spans.extend(cell)
        if index != last:
            spans.append(Span(" " * (widths[index] - width_of(cell)) + _GAP))
    return tuple(spans)


def _fitted(cell: Line, cut: Cut, width: int) -> Line:
    if width_of(cell) <= width or cut is Cut.NEVER:
        return cell
    shorten = cut_end if cut is Cut.END else cut_middle
    # A cell that is cut has one meaning: tones inside it would make the cut hard to see.
    return (Span(shorten("".join(span.text for span in cell), width), cell[0].tone),)
