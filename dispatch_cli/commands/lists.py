"""`inbox` and `sent`: the two lists, newest first, page by page."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.lists import list_lines
from dispatch_cli.render.people import NOBODY

PAGE = 50
_PAGES_LIMIT = 20_000  # a cursor that never ends is a fault, not a long list


def _paged(function: Callable[..., Any]) -> Callable[..., Any]:
    function = click.option("--all", "everything", is_flag=True, help="Show every page.")(function)
    function = click.option("--cursor", metavar="NEXT", help="Continue where a page ended.")(function)
    function = click.option(
        "--limit",
        metavar="N",
        type=click.IntRange(1, 200),
        default=PAGE,
        show_default=True,
        help="Rows on a page.",
    )(function)
    return click.pass_obj(function)


@click.command(cls=Command)
@click.option("-i", "--interactive", is_flag=True, help="Decide what waits, one after the other.")
@_paged
def inbox(
    invocation: Invocation, cursor: str | None, limit: int, everything: bool, interactive: bool
) -> None:
    """List what was sent to me, newest first."""
    if not interactive:
        _list(invocation, "inbox", cursor, limit, everything=everything)
        return
    if not invocation.is_interactive:
        raise click.UsageError("-i asks a person, and this is no terminal.")
    from dispatch_cli.commands.deciding import decide_waiting

    decide_waiting(invocation, list(each_of(invocation, "inbox")))


@click.command(cls=Command)
@_paged
def sent(invocation: Invocation, cursor: str | None, limit: int, everything: bool) -> None:
    """List what I have sent, newest first."""
    _list(invocation, "sent", cursor, limit, everything=everything)


def _list(invocation: Invocation, box: str, cursor: str | None, limit: int, *, everything: bool) -> None:
    pages = _pages(invocation, box, cursor, limit)
    page = next(pages)
    if everything:
        rows = [*items(page, "dispatches"), *(row for more in pages for row in items(more, "dispatches"))]
        page = page | {"dispatches": rows, "next": None}
    people = NOBODY if invocation.options.json else invocation.people()
    signed_in = bool(invocation.home.recorded().get("user"))
    invocation.show(page, lambda view: list_lines(page, box, people, view, signed_in=signed_in))


def each_of(invocation: Invocation, box: str) -> Iterator[Document]:
    """Yield every dispatch of a box, newest first."""
    for page in _pages(invocation, box, None, PAGE):
        yield from items(page, "dispatches")


def _pages(invocation: Invocation, box: str, cursor: str | None, limit: int) -> Iterator[Document]:
    for _ in range(_PAGES_LIMIT):
        page = invocation.door.get("/v1/dispatches", {"box": box, "cursor": cursor, "limit": limit})
        yield page
        cursor = text(page, "next")
        if not cursor:
            return
