"""One run of the command: its options, its home, its door and its two streams."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dispatch_cli.clock import now_ms
from dispatch_cli.home import Home
from dispatch_cli.render.lines import Line, Span, Tone, View, line
from dispatch_cli.screen import Screen, is_terminal

if TYPE_CHECKING:
    from dispatch_cli.door import Door
    from dispatch_cli.render.fields import Document
    from dispatch_cli.render.people import People


@dataclass(slots=True)
class Options:
    """The global options as given; None means not given."""

    broker: str | None = None
    token: str | None = None
    token_file: str | None = None
    home: str | None = None
    json: bool = False
    no_start: bool = False


class Invocation:
    """What commands share. Made once, in `main`."""

    def __init__(self, out: Screen, err: Screen) -> None:
        self.options = Options()
        self.out = out
        self.err = err
        self.command = ""
        self.answered = False

    @cached_property
    def home(self) -> Home:
        """Return the home of this run."""
        return Home.found(self.options.home)

    @cached_property
    def door(self) -> "Door":
        """Return the way to the daemon; nothing is connected yet."""
        from dispatch_cli.door import Door

        return Door(self.home, may_start=not self.options.no_start, say=self.note)

    def people(self) -> "People":
        """Ask for the contacts, by whose names and trust people are shown."""
        from dispatch_cli.render.people import People

        return People(self.door.get("/v1/contacts"))

    @property
    def is_interactive(self) -> bool:
        """Say whether a person can be asked: keys in, questions out, and no program reading along."""
        return is_terminal(sys.stdin) and self.err.is_terminal and not self.options.json

    @property
    def is_watched(self) -> bool:
        """Say whether a person may be there at all: one of the three streams is a terminal's."""
        return is_terminal(sys.stdin) or self.err.is_terminal or self.out.is_terminal

    @property
    def view(self) -> View:
        """Return what renderers may know, for standard output."""
        return View(self.out.width, now_ms(), os.path.expanduser("~"))

    @property
    def err_view(self) -> View:
        """Return what renderers may know, for standard error."""
        return View(self.err.width, now_ms(), os.path.expanduser("~"))

    @cached_property
    def _may_ring(self) -> bool:
        from dispatch_cli.settings import BELL, find

        return self.err.is_terminal and not self.options.json and find("notify", self.home, {}).value == BELL

    def ring(self) -> None:
        """Ring the terminal's bell, if its person wants to be called so: a question waits."""
        if self._may_ring:
            self.err.raw("\a")

    def note(self, sentence: str) -> None:
        """Say something in passing, on standard error."""
        self.err.show([line(Span(sentence, Tone.QUIET))])

    def warn(self, sentence: str) -> None:
        """Warn, on standard error."""
        self.err.show([line(Span("Warning: ", Tone.WAITING), sentence)])

    def show(self, document: "Document", lines: Callable[[View], Iterable[Line]]) -> None:
        """Answer: the document with `--json`, else its lines."""
        if self.options.json:
            self.show_json(document)
        else:
            self.out.show(lines(self.view))

    def show_json(self, document: "Document") -> None:
        """Write one JSON document: readable on a terminal, on one line for a program."""
        import json

        self.answered = True
        indent = 2 if self.out.is_terminal else None
        self.out.raw(json.dumps(document, ensure_ascii=False, indent=indent) + "\n")
