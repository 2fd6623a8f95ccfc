"""Tables align, fit the width, and are whole where nobody looks."""

import pytest

from dispatch_cli.render.lines import Span, Tone, View, line, plain, width_of
from dispatch_cli.render.table import Column, Cut, table

COLUMNS = [Column("ID"), Column("PATH", Cut.MIDDLE, 6), Column("TASK", Cut.END, 6)]
ROWS = [
    [line("4f2a"), line("/home/bob/src/api"), line("Which tests are flaky in api?")],
    [line("4f2b"), line("日本"), line(Span("short", Tone.DONE))],
]


def shown(width: int | None) -> list[str]:
    return [plain(row) for row in table(COLUMNS, ROWS, View(width, 0, "/"))]


def test_columns_align_by_cells() -> None:
    assert shown(None) == [
        "ID     PATH                TASK",
        "4f2a   /home/bob/src/api   Which tests are flaky in api?",
        "4f2b   日本                short",
    ]


def test_a_narrow_screen_cuts_paths_in_the_middle_and_sentences_at_the_end() -> None:
    rows = shown(36)
    assert max(len(row) for row in rows) <= 36
    assert rows[1] == "4f2a   /home/…rc/api   Which tests…"


def test_what_does_not_fit_at_its_least_width_stands_below_the_row_with_its_heading() -> None:
    assert shown(20) == [
        "ID     PATH",
        "    TASK",
        "4f2a   /home/…rc/api",
        "    Which tests are…",
        "4f2b   日本",
        "    short",
    ]


@pytest.mark.parametrize("width", range(20, 60))
def test_no_row_is_wider_than_the_screen(width: int) -> None:
    columns = [*COLUMNS, Column("STATUS"), Column("SINCE"), Column("")]
    rows = [[*row, line("waits for you"), line("3 days"), ()] for row in ROWS]
    told = table(columns, rows, View(width, 0, "/"))
    assert max(map(width_of, told)) <= width
    said = "\n".join(map(plain, told))
    assert "STATUS" in said
    assert said.count("waits for you") == said.count("3 days") == len(rows)


def test_tones_of_a_cell_that_fits_are_kept() -> None:
    assert Span("short", Tone.DONE) in table(COLUMNS, ROWS, View(None, 0, "/"))[2]


def test_without_a_screen_an_endless_cell_is_whole_and_pads_nobody() -> None:
    rows = [[line("4f2a"), line("x" * 100_000), line("long")], [line("4f2b"), line("y"), line("short")]]
    shown = [plain(row) for row in table(COLUMNS, rows, View(None, 0, "/"))]
    assert shown[1] == f"4f2a   {'x' * 100_000}   long"
    assert len(shown[0]) < len(shown[2]) < 200
