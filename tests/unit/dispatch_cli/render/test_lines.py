"""A line that is too long for the screen breaks at its words, and each letter keeps its tone."""

import pytest

from dispatch_cli.render.lines import Span, Tone, View, folded, line, plain, width_of

ROW = line(
    Span("✓ ", Tone.DONE), Span("sandbox  ", Tone.STRONG), "tasks can run here, confined, ", "as it should be"
)


@pytest.mark.parametrize("width", range(24, 60))
def test_nothing_breaks_inside_a_word(width: int) -> None:
    rows = folded(ROW, View(width, 0, "/"), indent="    ")
    assert all(width_of(row) <= width for row in rows)
    assert all(plain(row).startswith("    ") for row in rows[1:])
    assert " ".join(map(plain, rows)).split() == plain(ROW).split()
    assert rows[0][:2] == ROW[:2]


def test_what_fits_stays_one_line() -> None:
    assert folded(ROW, View(None, 0, "/")) == folded(ROW, View(80, 0, "/")) == [ROW]
