"""A morning's summary holds each dispatch once at most, by what its person does about it."""

import pytest

from dispatch_cli.commands.summary import sorted_out
from dispatch_cli.render.fields import Document
from dispatch_protocol.timestamps import format_time

NOW = 1_800_000_000_000
HOUR = 3_600_000


def row(status: str, box: str = "sent", *, heard: int | None = -1, ends: int | None = None) -> Document:
    """Return a row; `heard` and `ends` are hours from now."""
    return {
        "dispatch_id": "x",
        "box": box,
        "to": "me" if box != "sent" else "bob@example.org",
        "from": "me" if box != "inbox" else "alice@example.org",
        "status": status,
        "created_at": format_time(NOW - 100 * HOUR),
        "last_heard": None if heard is None else format_time(NOW + heard * HOUR),
        "expires_at": None if ends is None else format_time(NOW + ends * HOUR),
    }


@pytest.mark.parametrize(
    ("dispatch", "place"),
    [
        (row("delivered", "inbox", ends=1), "waiting"),
        (row("waiting_approval", "inbox"), "waiting"),
        (row("waiting_input", "own"), "waiting"),
        (row("conflict", "inbox"), "waiting"),
        (row("running", "inbox"), None),
        (row("completed", "inbox"), None),
        (row("expired", "inbox"), None),
        (row("completed"), "came_back"),
        (row("completed", "own"), "came_back"),
        (row("completed", heard=-20), None),
        (row("failed"), "went_wrong"),
        (row("declined"), "went_wrong"),
        (row("expired", heard=None, ends=-2), "went_wrong"),
        (row("expired", heard=None, ends=-30), None),
        (row("refused", heard=None), None),
        (row("cancelled"), "went_wrong"),
        (row("cancelled") | {"cancel_requested": True}, None),
        (row("cancelled", "own"), None),
        (row("cancelled", "inbox"), None),
        (row("delivered", ends=3), "ends_soon"),
        (row("delivered", ends=30), None),
        (row("queued", heard=None), None),
        (row("waiting_approval", ends=3), "ends_soon"),
    ],
)
def test_each_stands_where_its_person_looks_for_it(dispatch: Document, place: str | None) -> None:
    found = sorted_out([dispatch], NOW - 16 * HOUR, NOW + 16 * HOUR)
    assert {name: len(rows) for name, rows in found.items() if rows} == ({place: 1} if place else {})
