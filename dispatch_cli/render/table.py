"""Tables that align, fit the width and say where they were cut.

One flexible column gives way when the screen is narrow, and what then still does not fit stands below its row. Without a
screen (a pipe) nothing is cut, because another program may read it, and a cell of a hundred thousand letters sticks out
alone: no other is padded for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dispatch_cli.render.lines import Line, Span, Tone, View, joined, width_of
from dispatch_cli.render.text import cut_end, cut_middle

_GAP = "   "
_INDENT = "    "
_ALIGNED = 120  # the widest that cells are padded to where no screen bounds them


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
    return [row for block in blocks(columns, rows, view) for row in block]


def blocks(columns: Sequence[Column], rows: Sequence[Sequence[Line]], view: View) -> list[list[Line]]:
    """Lay them out as `table` does, the headings first, each row with the lines below it that it needs."""
    widths = [
        max([len(column.heading), *(width_of(row[index]) for row in rows)])
        for index, column in enumerate(columns)
    ]
    heading = [(Span(column.heading, Tone.QUIET),) for column in columns]
    if view.width is None:
        widths = [min(width, _ALIGNED) for width in widths]
        return [[_row(widths, cells_)] for cells_ in [heading, *rows]]
    beside = _beside(columns, widths, view.width)
    columns, below, widths = columns[:beside], columns[beside:], widths[:beside]
    _shrink(columns, widths, _room(view.width, beside))
    return [
        [
            _row(widths, _cut(columns, widths, cells_[:beside])),
            *_under(below, cells_[beside:], view.width),
        ]
        for cells_ in [heading, *rows]
    ]


def _beside(columns: Sequence[Column], widths: Sequence[int], width: int) -> int:
    """Return how many columns, at their narrowest, stand beside each other; what does not fit goes below them."""
    least = [
        natural if column.cut is Cut.NEVER else min(natural, max(column.least, len(column.heading)))
        for column, natural in zip(columns, widths, strict=True)
    ]
    fitting = [count for count in range(1, len(columns) + 1) if sum(least[:count]) <= _room(width, count)]
    return max(fitting, default=1)


def _room(width: int, count: int) -> int:
    """Return how many cells are left to so many columns once the gaps are taken."""
    return width - len(_GAP) * (count - 1)


def _under(columns: Sequence[Column], cells_: Sequence[Line], width: int) -> list[Line]:
    """Return the cells that have no room beside the others, as many on a line as fit."""
    lines: list[Line] = []
    for column, cell in zip(columns, cells_, strict=True):
        if not width_of(cell):
            continue
        piece = _fitted(cell, column.cut, width - len(_INDENT))
        longer = joined([lines[-1], piece]) if lines else ()
        if lines and width_of(longer) <= width:
            lines[-1] = longer
        else:
            lines.append((Span(_INDENT), *piece))
    return lines


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


def _cut(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Line]) -> list[Line]:
    return [
        _fitted(cell, column.cut, width) for cell, column, width in zip(row, columns, widths, strict=True)
    ]


def _row(widths: Sequence[int], row: Sequence[Line]) -> Line:
    spans: list[Span] = []
    for width, cell in zip(widths[:-1], row[:-1], strict=True):
        spans.extend(cell)
        spans.append(Span(" " * (width - width_of(cell)) + _GAP))
    return (*spans, *row[-1])


def _fitted(cell: Line, cut: Cut, width: int) -> Line:
    if width_of(cell) <= width or cut is Cut.NEVER:
        return cell
    shorten = cut_end if cut is Cut.END else cut_middle
    # A cell that is cut has one meaning: tones inside it would make the cut hard to see.
    return (Span(shorten("".join(span.text for span in cell), width), cell[0].tone),)
