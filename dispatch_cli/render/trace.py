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
_ORDER = ("file_path", "path", "pattern", "command", "old_string", "new_string", "content")


class Trace:
    """The lines of a run's events, told in order; later ones are read in the light of earlier ones."""

    def __init__(self) -> None:
        self._changesets: set[str] = set()
        self.calls: set[str] = set()

    def lines(self, events: Iterable[Document], view: View) -> list[Line]:
        """Return the lines of these events; one that only repeats the status says nothing.

        `calls` then holds the ids of all tool calls that were told.
        """
        return [row for event in events for row in self._event(event, view)]

    def _event(self, event: Document, view: View) -> list[Line]:
        data = inner(event, "data")
        match text(event, "type"):
            case "tool_call":
                self.calls.add(text(data, "call_id"))
                return [call_line(text(data, "tool"), inner(data, "input"), view)]
            case "tool_result":
                return _result(data, view)
            case "message":
                return quote(text(data, "text"), view)
            case "reasoning":
                return quote(text(data, "text"), view, tone=Tone.QUIET)
            case "approval_asked":
                if text(data, "kind") == "changeset":
                    self._changesets.add(text(data, "request_id"))
                return []
            case "approval_decided":
                return [_decided(data, changeset=text(data, "request_id") in self._changesets)]
            case "run_started":
                return [_started(data, view)]
            case _:
                return _told(text(event, "type"), data)


def _told(kind: str, data: Document) -> list[Line]:
    """Return what is said in one line, whatever run it happened in."""
    match kind:
        case "applied":
            return [line(Span("✓ applied", Tone.DONE))]
        case "undone":
            return [line(Span("↶ undone: the files are as before", Tone.WAITING))]
        case "discarded":
            return [line(Span("✗ discarded, no file was changed", Tone.QUIET))]
        case "files":
            return _files(data)
        case "warning":
            said = text(data, "warning") or text(data, "text") or text(data, "detail")
            return [line(Span(f"! {visible(said)}", Tone.WAITING))]
        case "gate" if truth(data, "allowed"):
            what = visible(text(data, "what"))
            asks = "asks its model:" if what.startswith("POST ") else "reaches"
            return [line(Span(f"· {asks} {what}", Tone.QUIET))]
        case "gate":
            return [line(Span(f"! stopped at the gate: {visible(text(data, 'what'))}", Tone.WAITING))]
        case "cancel_requested":
            return [line(Span(_WHY_CANCELLED.get(text(data, "by"), "· cancel requested"), Tone.WAITING))]
        case "run_ended" if text(data, "detail"):
            return [line(Span(f"· {visible(text(data, 'detail'))}", Tone.QUIET))]
        case _:
            return []


# What ended a run although nobody asked for that run to end.
_WHY_CANCELLED = {
    "edge": "· stopped: the edge that it came over was revoked or narrowed",
    "device": "· stopped: the device that it came from was revoked",
}


def _files(data: Document) -> list[Line]:
    """Say that files came, or which one does not, or is not what was signed."""
    name = visible(text(data, "name"))
    match text(data, "state"):
        case "here":
            return [line(Span("· its files are here, and are what was signed", Tone.QUIET))]
        case "missing":
            return [line(Span(f"! the file {name} has not come yet; it is asked for again", Tone.WAITING))]
        case _:
            code = visible(text(data, "code"))
            return [line(Span(f"! the file {name} is not what was signed ({code})", Tone.FAILED))]


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


def in_order(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return a call's fields, what is touched before what is done to it: signed bodies sort them by letter."""
    return sorted(
        given.items(), key=lambda field: _ORDER.index(field[0]) if field[0] in _ORDER else len(_ORDER)
    )


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


def _decided(data: Document, *, changeset: bool) -> Line:
    decision, grant = text(data, "decision"), text(data, "grant")
    if decision == "approved" and text(data, "decided_by") == "rule":
        return line(Span("  ✓ allowed by rule", Tone.DONE))
    if decision == "approved":
        reach = {"always": "allowed, from now on always", "session": "allowed for this run"}
        how = "changes approved" if changeset else reach.get(grant, "allowed once")
        return line(Span(f"  ✓ {how}{_elsewhere(data)}", Tone.DONE))
    said = text(data, "reason")
    what = ("changes denied" if changeset else "denied") + _elsewhere(data)
    return line(Span(f"  ✗ {what}" + (f": {visible(said)}" if said else ""), Tone.FAILED))


def _elsewhere(data: Document) -> str:
    """Return on which other device of this person it was said; nothing if it was said here."""
    device = inner(data, "decided_on")
    called = text(device, "name") or text(device, "device")[:8]
    return f", said on {visible(called)}" if called else ""


def _started(data: Document, view: View) -> Line:
    cwd = visible(home_relative(text(data, "cwd"), view.user_home))
    confined = ", confined" if inner(data, "confinement").get("layers") else ""
    return line(Span(f"· runs in {cwd}{confined}", Tone.QUIET))
