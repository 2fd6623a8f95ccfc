"""`summary`: what a person wants to know in the morning, from the two lists alone."""

import click

from dispatch_cli.clock import now_ms
from dispatch_cli.commands.lists import each_of
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, moment_ms, number, text
from dispatch_cli.render.lists import summary_lines
from dispatch_cli.render.people import NOBODY
from dispatch_cli.render.words import is_for_me
from dispatch_protocol.timestamps import format_time

_HOUR_MS = 3_600_000
_WAITS = frozenset({"delivered", "conflict", "waiting_approval", "waiting_input"})
_WENT_WRONG = frozenset({"failed", "refused", "declined", "expired"})
_OVER = _WENT_WRONG | {"completed", "cancelled"}


@click.command(cls=Command)
@click.option(
    "--since",
    "hours",
    metavar="HOURS",
    type=click.IntRange(1, 24 * 31),
    default=16,
    show_default=True,
    help="How far to look back for what has ended, and ahead for what will.",
)
@click.pass_obj
def summary(invocation: Invocation, hours: int) -> None:
    """Say what waits for me, who wrote, what came back and what went wrong lately, and whose time is soon over."""
    now, span = now_ms(), hours * _HOUR_MS
    rows = {text(row, "dispatch_id"): row for box in ("inbox", "sent") for row in each_of(invocation, box)}
    parts = sorted_out(list(rows.values()), now - span, now + span)
    people = NOBODY if invocation.options.json else invocation.people()
    answer: Document = {"since": format_time(now - span), **parts}
    invocation.show(answer, lambda view: summary_lines(answer, hours, people, view))


def sorted_out(rows: list[Document], since_ms: int, until_ms: int) -> dict[str, list[Document]]:
    """Sort dispatches by what a person does about them; each stands in one place, and most in none.

    What was sent ended when it was last heard of, or when its time was over.
    """
    names = ("waiting", "unread", "went_wrong", "came_back", "ends_soon")
    found: dict[str, list[Document]] = {name: [] for name in names}
    for row in rows:
        status, deadline = text(row, "status"), moment_ms(row, "expires_at")
        heard = moment_ms(row, "last_heard") or deadline or moment_ms(row, "created_at") or 0
        mine = is_for_me(row)
        wrong = status in _WENT_WRONG or _was_cancelled_by_them(row)
        if mine and status in _WAITS:
            found["waiting"].append(row)
        elif number(row, "unread"):
            found["unread"].append(row)
        elif text(row, "box") != "inbox" and wrong and heard >= since_ms:
            found["went_wrong"].append(row)
        elif text(row, "box") != "inbox" and status == "completed" and heard >= since_ms:
            found["came_back"].append(row)
        elif status not in _OVER and deadline is not None and deadline <= until_ms:
            found["ends_soon"].append(row)
    return found


def _was_cancelled_by_them(row: Document) -> bool:
    return (text(row, "box"), text(row, "status")) == ("sent", "cancelled") and row.get(
        "cancel_requested"
    ) is not True
