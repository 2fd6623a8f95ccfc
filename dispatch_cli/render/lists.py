"""The two lists of dispatches, one row each, newest first."""

from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, items, moment_ms, number, text
from dispatch_cli.render.lines import Line, Span, Tone, View, following, followings, joined, line
from dispatch_cli.render.people import People, party
from dispatch_cli.render.table import Column, Cut, table
from dispatch_cli.render.text import count, one_line, visible
from dispatch_cli.render.words import short_id, status_span

_NARROW_CELLS = 72  # below this, the time and how a person is known give way to the task


def list_lines(page: Document, box: str, people: People, view: View, *, signed_in: bool = True) -> list[Line]:
    """Return one page of the inbox or of what was sent; an empty one says how it fills."""
    found = items(page, "dispatches")
    if not found:
        return _empty(box, signed_in=signed_in)
    mine = box == "inbox"
    narrow = view.width is not None and view.width < _NARROW_CELLS
    columns = [
        Column("ID"),
        Column("FROM" if mine else "TO", Cut.END, 10),
        *([] if narrow else [Column("WHEN")]),
        Column("TASK", Cut.END, 12),
        Column("STATUS", Cut.END, 14),
    ]
    lines = table(columns, [_row(dispatch, mine, people, view, narrow=narrow) for dispatch in found], view)
    cursor = text(page, "next")
    if cursor:
        lines.append(following("older ones with", f"dispatch {box} --cursor {visible(cursor)}"))
    return lines


_PARTS = (
    ("waiting", "WAITS FOR YOU", True),
    ("unread", "WROTE TO YOU", False),
    ("went_wrong", "WENT WRONG", False),
    ("came_back", "CAME BACK", False),
    ("ends_soon", "ENDS SOON", False),
)


def summary_lines(summary: Document, hours: int, people: People, view: View) -> list[Line]:
    """Return what waits, what ended and what will, each with the people it is with."""
    lines: list[Line] = []
    for name, title, mine in _PARTS:
        found = items(summary, name)
        if not found:
            continue
        columns = [
            Column("ID"),
            Column(title, Cut.END, 16),
            Column("TASK", Cut.END, 12),
            Column("STATUS", Cut.END, 14),
        ]
        lines += [line()] if lines else []
        lines += table(columns, [_brief(dispatch, people, mine=mine) for dispatch in found], view)
    if not lines:
        return [line(f"Nothing waits for you, and nothing has ended in {hours} hours.")]
    if items(summary, "waiting"):
        lines.append(following("decide with", "dispatch inbox -i"))
    if items(summary, "unread"):
        lines.append(following("read it with", "dispatch thread ID"))
    return lines


def _brief(dispatch: Document, people: People, *, mine: bool) -> list[Line]:
    """Return one row: the other person is whoever is not on this machine."""
    to_me = text(dispatch, "box") == "inbox"
    return [
        line(short_id(dispatch)),
        line(people.known(party(dispatch, "from" if to_me else "to"))),
        line(one_line(text(dispatch, "task"))),
        _standing(dispatch, mine=mine or to_me),
    ]


def _row(dispatch: Document, mine: bool, people: People, view: View, *, narrow: bool) -> list[Line]:
    created = moment_ms(dispatch, "created_at")
    address = party(dispatch, "from" if mine else "to")
    when = line("" if created is None else times.ago(created, view.now_ms))
    return [
        line(short_id(dispatch)),
        line(people.name(address) if narrow else people.known(address)),
        *([] if narrow else [when]),
        line(one_line(text(dispatch, "task"))),
        _standing(dispatch, mine=mine),
    ]


def _standing(dispatch: Document, *, mine: bool) -> Line:
    """Return where a dispatch stands, and how much was written about it that nobody has read."""
    unread = number(dispatch, "unread") or 0
    new = line(Span(count(unread, "new message"), Tone.WAITING)) if unread else ()
    return joined([(status_span(dispatch, mine=mine),), new])


def _empty(box: str, *, signed_in: bool) -> list[Line]:
    if box == "inbox":
        others = ("say yes to whoever invites you with", "dispatch invitations")
        if not signed_in:
            others = ("sign in to be sent something with", "dispatch login --broker URL --email YOU")
        mine = ("give yourself a task with", "dispatch send me 'a task'")
        return [line("Nothing was sent to you yet."), *followings(mine, others)]
    return [
        line("You have sent nothing yet."),
        following("try it on this machine with", "dispatch send me 'a task'"),
    ]
