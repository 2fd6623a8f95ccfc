"""My devices in words: what they are called, what they may do, since when, and when they were last heard of."""

from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, items, moment_ms, text, truth, words
from dispatch_cli.render.lines import Line, Span, Tone, View, following, line
from dispatch_cli.render.table import Column, Cut, table
from dispatch_cli.render.text import visible


def devices_lines(found: Document, view: View) -> list[Line]:
    """Return one row a device, the one that joined first at the top."""
    rows = items(found, "devices")
    columns = [
        Column("NAME", Cut.END, 8),
        Column("ID"),
        Column("MAY", Cut.END, 8),
        Column("SINCE"),
        Column("KEY MADE"),
        Column("LAST HEARD"),
    ]
    lines = table(columns, [_row(device, view) for device in rows], view)
    if len(rows) == 1:
        return [*lines, following("add another machine with", "dispatch devices add")]
    return lines


def _row(device: Document, view: View) -> list[Line]:
    since, heard = moment_ms(device, "since"), moment_ms(device, "last_seen")
    made = moment_ms(device, "key_since")
    roles = [*words(device, "roles"), *(["owner"] if truth(device, "owner") else [])]
    last = (
        "this one" if truth(device, "this") else "never" if heard is None else times.ago(heard, view.now_ms)
    )
    return [
        line(Span(visible(text(device, "name")), Tone.STRONG)),
        line(visible(text(device, "id")[:16])),
        line(", ".join(map(visible, roles)) or "nothing"),
        line("" if since is None else times.ago(since, view.now_ms)),
        line("" if made is None else times.ago(made, view.now_ms)),
        line(last),
    ]
