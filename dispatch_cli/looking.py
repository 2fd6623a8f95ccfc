"""The files of a run, looked at before they leave: they lie on this machine, and a terminal shows what of them is text."""

from pathlib import Path
from typing import Final

from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import Line, Span, Tone, View, line, quote
from dispatch_cli.render.question import diffs_of, files_of, whole_diff_lines
from dispatch_cli.render.text import visible

_SHOWN_BYTES: Final = 256 * 1024


def looked_lines(approval: Document, view: View) -> list[Line]:
    """Return everything that a closing question is about: the whole diff, then each file as text, or where it lies."""
    files = files_of(approval)
    lines = whole_diff_lines(approval, view) if diffs_of(approval) or not files else []
    for file in files:
        lines += [line(Span(visible(text(file, "name")), Tone.STRONG)), *_content(text(file, "path"), view)]
    return lines


def _content(path: str, view: View) -> list[Line]:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_SHOWN_BYTES + 1)
    except OSError as error:
        return [line(Span(f"  It cannot be read: {error.strerror or error}.", Tone.FAILED))]
    if len(data) > _SHOWN_BYTES or b"\0" in data:
        return [line(Span("  It is no text, or a long one: open ", Tone.QUIET), visible(path))]
    return quote(data.decode(errors="replace"), view) if data else [line(Span("  It is empty.", Tone.QUIET))]
