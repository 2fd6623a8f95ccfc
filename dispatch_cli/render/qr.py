"""A QR code drawn with half blocks: a camera takes over a long line that nobody should have to type.

A cell shows two modules, one above the other. The light ones are drawn and the dark ones left out, so that without colour it is
right on a dark screen and reversed on a light one; with colour it is bright upon black everywhere (ISO/IEC 18004 allows both).
"""

from typing import Final

from dispatch_cli.render.lines import Line, Span, Tone, View, line

QUIET_MODULES: Final = 4  # the margin that the standard asks for on each side
_BLOCKS: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def qr_lines(text: str, view: View) -> list[Line]:
    """Return the code of a text, or the width that it needs where the screen is narrower: a line that wraps cannot be read."""
    import segno

    drawn = segno.make_qr(text, error="l", boost_error=False)
    light = [[not module for module in row] for row in drawn.matrix_iter(border=QUIET_MODULES)]
    side = len(light)
    if view.width is not None and side > view.width:
        wide = f"The QR code needs {side} columns, and this terminal has {view.width}."
        return [line(Span(wide, Tone.WAITING))]
    if side % 2:
        light.append([False] * side)
    pairs = zip(light[::2], light[1::2], strict=True)
    rows = ("".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs)
    return [line(Span(row, Tone.PAPER)) for row in rows]
