"""A run as it happened, one short block an event.

Tool calls and what they gave are what a reader looks for; output is folded to its last lines here, because
`--json` and the bundle hold it whole and no decision is made on it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dispatch_cli.render.fields import Document, inner, number, text, truth
from dispatch_cli.render.lines import Line, Span, Tone, View, line, quote
from dispatch_cli.render.text import count, cut_end, cut_middle, home_relative, one_line, visible

_SHOWN_LINES = 6
_FIELDS = {
    "Read": "file_path",
    "Write": "file_path",
    "Edit": "file_path",
    "Glob": "pattern",
    "Grep": "pattern",
    "Bash": "command",
}
_PATHS = frozenset(["Read", "Write", "Edit"])


def trace_lines(events: Iterable[Document], view: View) -> list[Line]:
    """Return the lines of several events."""
    return [row for event in events for row in event_lines(event, view)]


def event_lines(event: Document, view: View) -> list[Line]:
    """Return the lines of one event; an event that only repeats the status says nothing."""
    data = inner(event, "data")
    match text(event, "type"):
        case "tool_call":
            return [call_line(text(data, "tool"), inner(data, "input"), view)]
        case "tool_result":
            return _result(data, view)
        case "message":
            return quote(text(data, "text"), view)
        case "reasoning":
            return quote(text(data, "text"), view, tone=Tone.QUIET)
        case "approval_decided":
            return [_decided(data)]
        case "run_started":
            return [_started(data, view)]
        case "applied":
            return [line(Span("✓ applied", Tone.DONE))]
        case "discarded":
            return [line(Span("✗ discarded, no file was changed", Tone.QUIET))]
        case "warning":
            said = text(data, "warning") or text(data, "text") or text(data, "detail")
            return [line(Span(f"! {visible(said)}", Tone.WAITING))]
        case "cancel_requested":
            return [line(Span("· cancel requested", Tone.WAITING))]
        case "run_ended" if text(data, "detail"):
            return [line(Span(f"· {visible(text(data, 'detail'))}", Tone.QUIET))]
        case _:
            return []


def call_line(tool: str, given: Mapping[str, Any], view: View) -> Line:
    """Return `▸ Read  tests/conftest.py`: the tool and what it touches, on one line."""
    shown = given.get(_FIELDS.get(tool, ""))
    said = shown if isinstance(shown, str) else json.dumps(given, ensure_ascii=False) if given else ""
    said = home_relative(said, view.user_home) if tool in _PATHS else said
    room = None if view.width is None else max(view.width - 10, 20)
    said = one_line(said)
    if room is not None:
        said = cut_middle(said, room) if tool in _PATHS else cut_end(said, room)
    return line(Span("▸ ", Tone.RUNNING), Span(f"{visible(tool):<5} ", Tone.STRONG), said)


def _result(data: Document, view: View) -> list[Line]:
    output = text(data, "output") or text(data, "error")
    code = number(data, "exit_code")
    rows = output.rstrip("\n").split("\n") if output.strip() else []
    hidden = max(len(rows) - _SHOWN_LINES, 0)
    lines: list[Line] = []
    if hidden or truth(data, "truncated"):
        cut = " (cut where it was too long)" if truth(data, "truncated") else ""
        lines.append(line(Span(f"  │ … {count(hidden, 'line')} before{cut}", Tone.QUIET)))
    if rows:
        lines += quote("\n".join(rows[hidden:]), view, tone=Tone.QUIET)
    if not truth(data, "ok"):
        how = (
            f"exit code {code}"
            if code
            else visible(text(data, "error"))
            if text(data, "error") != output
            else ""
        )
        lines.append(line(Span("  ✗ failed" + (f": {how}" if how else ""), Tone.FAILED)))
    return lines


def _decided(data: Document) -> Line:
    decision, grant = text(data, "decision"), text(data, "grant")
    if decision == "approved":
        how = {"always": "allowed, always on this edge", "session": "allowed for this run"}.get(
            grant, "allowed once"
        )
        return line(Span(f"  ✓ {how}", Tone.DONE))
    said = text(data, "reason")
    return line(Span("  ✗ denied" + (f": {visible(said)}" if said else ""), Tone.FAILED))


def _started(data: Document, view: View) -> Line:
    cwd = visible(home_relative(text(data, "cwd"), view.user_home))
    confinement = inner(data, "confinement")
    held = ", ".join(visible(layer) for layer in confinement.get("layers", []) if isinstance(layer, str))
    return line(Span(f"· runs in {cwd}" + (f", confined by {held}" if held else ""), Tone.QUIET))
