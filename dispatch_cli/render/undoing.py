"""An undo as it is shown: what would be as it was before, line by line, and what became of it."""

from collections.abc import Sequence

from dispatch_cli.render.changes import changeset_lines, diff_lines
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.lines import Line, Span, Tone, View, following, line
from dispatch_cli.render.text import count, visible
from dispatch_cli.render.words import typed_id

SHOWN_CHARS = 16  # of a digest that a person passes on
PROMPT = line("  Undo it [u] · leave it as it is [N]")


def ask_lines(shown: Document, view: View, *, asks: bool) -> list[Line]:
    """Return everything that would change back; where nobody can be asked, also what to type."""
    changes = items(shown, "changeset")
    head = f"{count(len(changes), 'path')} would be as before the run:"
    lines = [line(Span(head, Tone.STRONG)), *changeset_lines(changes, view)]
    lines += diff_lines(items(shown, "diffs"), view)
    if not asks:
        short = typed_id(text(shown, "dispatch_id"))
        digest = visible(text(shown, "digest")[:SHOWN_CHARS])
        lines += [line(), following("undo exactly this with", f"dispatch undo {short} --as-shown {digest}")]
    return lines


def undone_lines(shown: Document) -> list[Line]:
    """Return what holds now."""
    changes = items(shown, "changeset")
    said = f"  ✓ undone: {count(len(changes), 'path')} as before the run"
    return [line(Span(said, Tone.DONE))]


def in_the_way(paths: Sequence[str]) -> str:
    """Return the sentence for paths that somebody changed since."""
    subject = "this path has" if len(paths) == 1 else f"these {len(paths)} paths have"
    return f"Nothing was undone: {subject} changed since the run."
