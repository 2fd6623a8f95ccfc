"""`watch`: one dispatch, or everything, as it happens. With `--json` one JSON object a line."""

import json
import time
from typing import Any

import click

from dispatch_cli import candidates
from dispatch_cli.following import REFRESH_S, Wakes
from dispatch_cli.invocation import Invocation
from dispatch_cli.moving import Moving
from dispatch_cli.options import Command
from dispatch_cli.outcome import has_ended
from dispatch_cli.progress import News, Progress
from dispatch_cli.render import times
from dispatch_cli.render.dispatch import heading_lines, task_lines
from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.lines import Line, View, line
from dispatch_cli.render.lists import list_lines
from dispatch_cli.render.people import NOBODY, People
from dispatch_cli.render.question import waiting_lines
from dispatch_cli.render.sending import outcome_lines
from dispatch_cli.render.trace import Trace
from dispatch_cli.render.words import is_for_me, status_span


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="[ID]", required=False, shell_complete=candidates.dispatches())
@click.option("--all", "everything", is_flag=True, help="Follow every dispatch until interrupted.")
@click.pass_obj
def watch(invocation: Invocation, dispatch_id: str | None, everything: bool) -> None:
    """Follow one dispatch until it ends, or with --all everything.

    With --json each line is one object: {type, dispatch_id, status, ...} with type snapshot, event, status,
    approval.
    """
    if everything == (dispatch_id is not None):
        raise click.UsageError("Name one dispatch, or use --all.")
    if dispatch_id is None:
        _Everything(invocation).follow()
    else:
        _One(invocation, dispatch_id).follow()


def _write_line(invocation: Invocation, kind: str, document: Document) -> None:
    """Write one JSON line; the caller's fields never replace its type."""
    invocation.answered = True
    invocation.out.raw(json.dumps({**document, "type": kind}, ensure_ascii=False) + "\n")


class _One:
    """One dispatch, from what has happened to its end."""

    def __init__(self, invocation: Invocation, dispatch_id: str) -> None:
        self._invocation = invocation
        self._id = dispatch_id
        self._progress = Progress()
        self._trace = Trace()
        self._people = NOBODY if invocation.options.json else invocation.people()

    def follow(self) -> None:
        """Show the present state, then what changes, until it has ended."""
        begun = time.monotonic()
        # The stream is asked for by the whole id: a prefix that is unique now need not stay so.
        self._id = text(self._invocation.door.dispatch(self._id), "dispatch_id") or self._id
        with Wakes(self._invocation, self._id) as wakes, Moving(self._invocation.err) as moving:
            dispatch = self._look(moving, first=True)
            asked = time.monotonic()
            while not has_ended(dispatch):
                passed = times.duration(int((time.monotonic() - begun) * 1000))
                moving.set(line(status_span(dispatch, mine=is_for_me(dispatch)), f" · watching for {passed}"))
                woken, _ = wakes.wait(1.0)
                if woken or time.monotonic() - asked > REFRESH_S:
                    dispatch = self._look(moving, first=False)
                    asked = time.monotonic()
        if not self._invocation.options.json:
            self._invocation.out.show(outcome_lines(dispatch, self._invocation.view))

    def _look(self, moving: Moving, *, first: bool) -> Document:
        dispatch = self._invocation.door.dispatch(self._id)
        news = self._progress.since(dispatch)
        if self._invocation.options.json:
            self._write(dispatch, news, first=first)
        else:
            moving.show(self._invocation.out, self._lines(dispatch, news, first=first))
            if news.asked:
                self._invocation.ring()
        return dispatch

    def _write(self, dispatch: Document, news: News, *, first: bool) -> None:
        if first:
            _write_line(self._invocation, "snapshot", dispatch)
            return
        where = {name: dispatch.get(name) for name in ("dispatch_id", "short_id", "status", "outcome")}
        for event in news.events:
            _write_line(self._invocation, "event", {**where, "event": event})
        for approval in news.asked:
            _write_line(self._invocation, "approval", {**where, "approval": approval})
        if news.status is not None:
            _write_line(self._invocation, "status", dispatch)

    def _lines(self, dispatch: Document, news: News, *, first: bool) -> list[Line]:
        view = self._invocation.view
        lines = [*heading_lines(dispatch, self._people, view), *task_lines(dispatch, view)] if first else []
        lines += self._trace.lines(news.events, view)
        if news.asked:
            lines += waiting_lines(news.asked, self._people, view)
        elif news.status is not None and not first and not has_ended(dispatch):
            lines.append(line("· ", status_span(dispatch, mine=is_for_me(dispatch))))
        return lines


class _Everything:
    """Both lists and all questions, as rows that changed."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._seen: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._asked: set[str] = set()
        self._people = NOBODY

    def follow(self) -> None:
        """Show what is there, then what changes, until interrupted."""
        if not self._invocation.options.json:
            self._people = self._invocation.people()
        with Wakes(self._invocation, None) as wakes, Moving(self._invocation.err) as moving:
            self._look(moving)
            while True:
                moving.set(line("watching everything · Ctrl-C leaves"))
                woken, _ = wakes.wait(REFRESH_S)
                if woken:
                    self._look(moving)

    def _look(self, moving: Moving) -> None:
        for box in ("inbox", "sent"):
            page = self._invocation.door.get("/v1/dispatches", {"box": box})
            self._tell(moving, box, [row for row in items(page, "dispatches") if self._is_new(box, row)])
        waiting = items(self._invocation.door.get("/v1/approvals"), "approvals")
        asked = [item for item in waiting if text(item, "request_id") not in self._asked]
        self._asked |= {text(item, "request_id") for item in asked}
        if self._invocation.options.json:
            for approval in asked:
                _write_line(self._invocation, "approval", approval)
        elif asked:
            moving.show(self._invocation.out, waiting_lines(asked, self._people, self._invocation.view))
            self._invocation.ring()

    def _is_new(self, box: str, row: Document) -> bool:
        state = (row.get("status"), row.get("outcome"), row.get("cancel_requested"))
        key = (box, text(row, "dispatch_id"))
        if self._seen.get(key) == state:
            return False
        self._seen[key] = state
        return True

    def _tell(self, moving: Moving, box: str, rows: list[Document]) -> None:
        if self._invocation.options.json:
            for row in rows:
                _write_line(self._invocation, "status", {**row, "box": box})
        elif rows:
            moving.show(self._invocation.out, _rows(rows, box, self._people, self._invocation.view))


def _rows(rows: list[Document], box: str, people: People, view: View) -> list[Line]:
    """Return changed rows under their heading, so that each still says which way it went."""
    return list_lines({"dispatches": rows, "next": None}, box, people, view)
