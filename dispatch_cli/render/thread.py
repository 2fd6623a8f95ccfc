"""A thread as it reads on a terminal: each dispatch, and under it what was said, everybody's words behind a bar."""

from dispatch_cli.render import times
from dispatch_cli.render.dispatch import heading_lines, run_lines
from dispatch_cli.render.fields import Document, items, moment_ms, number, text
from dispatch_cli.render.lines import Line, Span, Tone, View, following, followings, joined, line, quote
from dispatch_cli.render.people import People
from dispatch_cli.render.text import count, visible
from dispatch_cli.render.words import short_id

_STATES = {
    "owed": ("on its way", Tone.WAITING),
    "held": ("arrived", Tone.QUIET),
    "lost": ("not taken in within its time", Tone.FAILED),
}


def thread_lines(thread: Document, people: People, view: View) -> list[Line]:
    """Return the whole thread, oldest first."""
    lines: list[Line] = []
    found = items(thread, "dispatches")
    for dispatch in found:
        lines += [line()] if lines else []
        lines += [*heading_lines(dispatch, people, view), *quote(text(dispatch, "task"), view)]
        lines += run_lines(dispatch, view)
        lines += message_lines(items(dispatch, "messages"), people, view)
    short = short_id(found[-1])
    return [
        *lines,
        line(),
        *followings(
            ("answer with", f"dispatch reply {short} TEXT"),
            ("ask for more with", f"dispatch followup {short} TASK"),
        ),
    ]


def message_lines(messages: list[Document], people: People, view: View) -> list[Line]:
    """Return what was said about one dispatch; what is new, missing or not there yet is named."""
    lines: list[Line] = []
    for message in messages:
        missing = number(message, "missing_before") or 0
        if missing:
            lines.append(
                line(Span(f"  {count(missing, 'message')} before this one did not arrive", Tone.WAITING))
            )
        lines += [_heading(message, people, view), *quote(text(message, "text"), view, indent="    ")]
    return lines


def _heading(message: Document, people: People, view: View) -> Line:
    at, mine = moment_ms(message, "at"), message.get("mine") is True
    said, tone = _STATES.get(text(message, "state"), ("", Tone.PLAIN))
    parts = [
        line("  me" if mine else f"  {people.known(text(message, 'from'))}"),
        line("" if at is None else times.ago(at, view.now_ms)),
        line("" if text(message, "audience") == "thread" else f"to {visible(text(message, 'audience'))}"),
        line(Span("new", Tone.WAITING) if message.get("unread") is True else Span(said, tone)),
    ]
    return joined(parts)


def replied_lines(message: Document, dispatch: Document, people: People) -> list[Line]:
    """Return that words are on their way, and how to see what comes back."""
    other = people.name(text(dispatch, "to" if text(dispatch, "box") == "sent" else "from"))
    said = "Kept" if text(dispatch, "box") == "own" else f"Written to {other}"
    return [
        line(f"{said}. It starts nothing there." if said != "Kept" else "Kept with your own task."),
        following("see the thread with", f"dispatch thread {visible(text(message, 'dispatch_id')[:8])}"),
    ]
