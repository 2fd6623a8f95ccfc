"""What a run would change, or has changed: one line a path, and the diff as everybody reads diffs."""

from collections.abc import Sequence

from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, inner, items, number, text, truth, words
from dispatch_cli.render.lines import Line, Span, Tone, View, line
from dispatch_cli.render.text import count, cut_middle, home_relative, visible, wrapped

_SIGNS = {
    "create": ("+", Tone.ADDED, "new"),
    "modify": ("~", Tone.WAITING, "changed"),
    "delete": ("-", Tone.REMOVED, "deleted"),
    "rename": ("→", Tone.WAITING, "renamed"),
    "mode": ("~", Tone.WAITING, "permissions"),
    "symlink": ("→", Tone.WAITING, "link"),
    "mkdir": ("+", Tone.ADDED, "new folder"),
}
_NOTES_CELLS = 24
_GIVEN_UP = frozenset(["failed", "cancelled"])
_HALF = frozenset(["apply_conflict", "journal_damaged"])  # ends after which some of the changes may stand


def changeset_lines(changes: Sequence[Document], view: View) -> list[Line]:
    """Return one line for each changed path, with what a cautious reader should know about it."""
    lines: list[Line] = []
    for change in changes:
        sign, tone, word = _SIGNS.get(text(change, "op"), ("?", Tone.DANGER, visible(text(change, "op"))))
        path = visible(home_relative(text(change, "path"), view.user_home))
        if view.width is not None:
            path = cut_middle(path, max(view.width - _NOTES_CELLS, 20))
        target = text(change, "target")
        to = f" → {visible(target)}" if target else ""
        lines.append(
            line("  ", Span(f"{sign} {path}{to}", tone), Span(f"   {_notes(change, word)}", Tone.QUIET))
        )
        lines += [line("      ", Span(f"! {visible(flag)}", Tone.DANGER)) for flag in words(change, "flags")]
    return lines


def unapplied_lines(dispatch: Document) -> list[Line]:
    """Return that the changes of an ended dispatch stand nowhere; nothing where they do, or where some of them may."""
    code = text(inner(dispatch, "error"), "code")
    if not items(dispatch, "changeset") or text(dispatch, "status") not in _GIVEN_UP or code in _HALF:
        return []
    return [line(Span("  These were thrown away, and were never applied.", Tone.WAITING))]


def _notes(change: Document, word: str) -> str:
    old, new = number(change, "old_mode"), number(change, "new_mode")
    if text(change, "op") == "mode" and old is not None and new is not None:
        return f"{word} {old & 0o7777:04o} → {new & 0o7777:04o}"
    size = number(change, "size_bytes")
    return (
        word if size is None or text(change, "op") in {"delete", "mkdir"} else f"{word}, {times.size(size)}"
    )


def summary(changes: Sequence[Document]) -> str:
    """Return `2 files would change`."""
    return count(len(changes), "file")


def diff_lines(diffs: Sequence[Document], view: View) -> list[Line]:
    """Return unified diffs, added and removed lines toned, whole and with nothing hidden."""
    lines: list[Line] = []
    for diff in diffs:
        path = visible(home_relative(text(diff, "path"), view.user_home))
        lines.append(line(Span(f"  {path}", Tone.STRONG)))
        if truth(diff, "binary"):
            lines.append(line(Span("  │ binary file, not shown", Tone.QUIET)))
        lines += _body(text(diff, "text"), view)
        if truth(diff, "truncated"):
            lines.append(
                line(Span("  │ the rest of this diff was cut: look at the file itself", Tone.DANGER))
            )
    return lines


def _body(diff: str, view: View) -> list[Line]:
    room = None if view.width is None else max(view.width - 4, 10)
    lines: list[Line] = []
    in_hunk = False
    for row in diff.removesuffix("\n").split("\n") if diff else []:
        in_hunk = in_hunk or row.startswith("@@")
        tone = _tone(row, in_hunk=in_hunk)
        lines += [line(Span("  │ ", Tone.QUIET), Span(piece, tone)) for piece in wrapped(row, room)]
    return lines


def _tone(row: str, *, in_hunk: bool) -> Tone:
    if row.startswith("@@") or not in_hunk:
        return Tone.QUIET
    return {"+": Tone.ADDED, "-": Tone.REMOVED, "\\": Tone.QUIET}.get(row[:1], Tone.PLAIN)
