"""What is drawn is read by a decoder of other hands, as a camera would see it, and a screen too narrow for it says so."""

import itertools

import pytest
import zxingcpp

from dispatch_cli.render.lines import View, plain
from dispatch_cli.render.qr import QUIET_MODULES, qr_lines

TOKEN = "dispatch1:https://relay.example.org/" + "4f2a" * 8 + "#" + "ab" * 32 + ".c2VjcmV0c2VjcmV0c2VjcmU"
HALVES = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
MODULE = 4  # pixels


def picture(rows: list[str]) -> memoryview:
    """Return what a camera sees of drawn cells, a byte a pixel: blocks are bright and the rest is dark."""
    modules = [[HALVES[cell][half] for cell in row for _ in range(MODULE)] for row in rows for half in (0, 1)]
    pixels = bytes(255 if bright else 0 for row in modules for _ in range(MODULE) for bright in row)
    return memoryview(pixels).cast("B", (2 * MODULE * len(rows), MODULE * len(rows[0])))


@pytest.mark.parametrize("text", [TOKEN, "dispatch-pair1:ABCD", "a", "x" * 900])
def test_a_camera_reads_what_was_drawn(text: str) -> None:
    rows = [plain(row) for row in qr_lines(text, View(None, 0, "/"))]
    (seen,) = zxingcpp.read_barcodes(picture(rows))
    assert seen.text == text


def test_a_picture_that_lost_a_part_is_not_read() -> None:
    rows = [plain(row) for row in qr_lines(TOKEN, View(None, 0, "/"))]
    torn = [*rows[: len(rows) // 2], *(" " * len(rows[0]) for _ in rows[len(rows) // 2 :])]
    assert not zxingcpp.read_barcodes(picture(torn))


def test_the_margin_is_there_on_every_side() -> None:
    rows = [plain(row) for row in qr_lines(TOKEN, View(None, 0, "/"))]
    full = "█" * len(rows[0])
    assert rows[: QUIET_MODULES // 2] == [full] * (QUIET_MODULES // 2)
    assert all(row[:QUIET_MODULES] == row[-QUIET_MODULES:] == "█" * QUIET_MODULES for row in rows[:-1])
    assert set(itertools.chain(*rows)) <= set(HALVES)


def test_a_screen_that_is_too_narrow_says_how_wide_it_has_to_be() -> None:
    side = len(plain(qr_lines(TOKEN, View(None, 0, "/"))[0]))
    assert len(qr_lines(TOKEN, View(side, 0, "/"))) == (side + 1) // 2
    (said,) = qr_lines(TOKEN, View(side - 1, 0, "/"))
    assert plain(said) == f"The QR code needs {side} columns, and this terminal has {side - 1}."
