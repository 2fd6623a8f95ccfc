"""The index of projects: a cache on the disk that is refreshed in the background and asked in a millisecond.

It decides nothing. What it returns is checked against the disk when it is asked, is without links, and is only ever a
list to choose from: the core decides what of it lies inside a grant, and a human which one is meant. A sender's words
rank it: what they call the project, or where they call it nothing, the task itself. They come from outside, so they are
bounded and never become a query of their own making.
"""

import asyncio
import contextlib
import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from dispatch_daemon.adapters.projects.scan import Bounds, marker_in, scan

_NAME: Final = "projects.db"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS projects (path TEXT PRIMARY KEY, name TEXT NOT NULL, marker TEXT NOT NULL, round INTEGER NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (path, tokenize = 'trigram');
"""
_REFRESH_S: Final = 900.0
_FIRST_S: Final = 1.0
_SOON: Final = Bounds(directories=5_000, seconds=2.0)  # somebody waits for it
_NEAR: Final = 200  # of those that share three letters with what was said
_TRIGRAMS: Final = 64
_TASK_CHARS: Final = 2_000  # of a task that is looked through for names
_TASK_TRIGRAMS: Final = 1_000
_CHANCE: Final = 75  # a name that is less like the task than this is like it by chance
_SHORT: Final = 4  # a name of fewer letters is part of some word or other
log = logging.getLogger("dispatch.projects")


class ProjectIndex:
    """The projects below `roots` (asked anew at each refresh); used from the event loop's thread."""

    def __init__(
        self, home: Path, roots: Callable[[], Sequence[str]], *, bounds: Bounds | None = None
    ) -> None:
        self._path = home / _NAME
        self._roots = roots
        self._bounds = bounds
        self._running: asyncio.Task[None] | None = None

    # -- keeping it fresh ------------------------------------------------------------------------------

    def start(self) -> None:
        """Look around now and then, from now on."""
        self._running = asyncio.create_task(self._keep_fresh(), name="projects")

    async def stop(self) -> None:
        """Look no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None

    async def look(self, inside: Sequence[str]) -> None:
        """Look below some directories now, or below the roots if there are none; for as long as a person would wait.

        What is known of others stays.
        """
        below = list(inside or self._roots())
        await self._written(self._add, below, _SOON)
        if not self._path.exists():  # it was damaged, and is made anew
            await self._written(self._add, below, _SOON)

    async def _keep_fresh(self) -> None:
        await asyncio.sleep(_FIRST_S)
        while True:
            await self.refresh()
            await asyncio.sleep(_REFRESH_S)

    async def refresh(self) -> None:
        """Look around once, in a thread; a cache that cannot be written is made anew or done without."""
        await self._written(self._refresh, list(self._roots()))

    async def _written(self, write: Callable[..., None], *arguments: object) -> None:
        try:
            await asyncio.to_thread(write, *arguments)
        except sqlite3.DatabaseError as error:
            log.warning("the index of projects is made anew: %s", error)
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("nobody can look for projects now: %s", error)

    def _refresh(self, roots: Sequence[str]) -> None:
        self._add(roots, self._bounds, forgetting=True)

    def _add(self, roots: Sequence[str], bounds: Bounds | None, *, forgetting: bool = False) -> None:
        """Add what is below these roots; `forgetting` everything else. Nobody is kept waiting while it is looked for."""
        found = list(scan(roots, bounds))
        with contextlib.closing(self._open()) as database, database:
            database.execute("BEGIN IMMEDIATE")
            ((last,),) = database.execute("SELECT coalesce(max(round), 0) FROM projects").fetchall()
            database.executemany(
                "INSERT INTO projects (path, name, marker, round) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (path) DO UPDATE SET marker = excluded.marker, round = excluded.round",
                ((each.path, each.name, each.marker, last + forgetting) for each in found),
            )
            if forgetting:
                database.execute("DELETE FROM projects WHERE round <= ?", (last,))
            database.execute("DELETE FROM words")
            database.execute("INSERT INTO words (rowid, path) SELECT rowid, path FROM projects")

    def _open(self) -> sqlite3.Connection:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        database = sqlite3.connect(self._path, timeout=5.0)
        database.executescript(_TABLES)
        return database

    # -- asking ----------------------------------------------------------------------------------------

    def find(
        self, hint: str | None, *, task: str = "", inside: Iterable[str] = (), most: int = 500
    ) -> list[str]:
        """Return up to `most` projects that are there now, by their paths without links, the likeliest first.

        `hint` is what somebody calls it, or None: then the words of `task` are looked through for names. `inside` are
        directories that it has to lie in, none for anywhere.
        """
        within = [os.path.realpath(path) for path in inside]
        try:
            with contextlib.closing(self._open()) as database:
                paths = self._near(database, (hint or "").strip(), task[:_TASK_CHARS])
        except (sqlite3.Error, OSError) as error:
            log.warning("the index of projects cannot be asked: %s", error)
            return []
        found: list[str] = []
        for path in paths:
            if not _lies_in(path, within):
                continue
            real = os.path.realpath(path)
            if real not in found and _lies_in(real, within) and marker_in(real) is not None:
                found.append(real)
            if len(found) == most:
                break
        return found

    def count(self) -> int:
        """Return how many projects are known."""
        try:
            with contextlib.closing(self._open()) as database:
                return int(database.execute("SELECT count(*) FROM projects").fetchone()[0])
        except (sqlite3.Error, OSError):
            return 0

    def _near(self, database: sqlite3.Connection, hint: str, task: str) -> list[str]:
        everything = [path for (path,) in database.execute("SELECT path FROM projects ORDER BY path")]
        match = _trigrams([hint], _TRIGRAMS) if hint else _trigrams(re.findall(r"\w+", task), _TASK_TRIGRAMS)
        near: list[str] = []
        if match:
            rows = database.execute(
                "SELECT path FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (match, _NEAR)
            )
            near = [path for (path,) in rows]
        others = set(everything) - set(near)
        ranked = _ranked(hint, near) if hint else _named(task, near)
        return [*ranked, *(path for path in everything if path in others)]


def _trigrams(said: Iterable[str], most: int) -> str:
    """Return the letters of what was said, three by three, as a query of ours: each is a quoted text, and so no operator."""
    folded = [each.casefold() for each in said]
    pieces = dict.fromkeys(each[at : at + 3] for each in folded for at in range(len(each) - 2))
    quoted = ('"' + piece.replace('"', '""') + '"' for piece in list(pieces)[:most])
    return " OR ".join(quoted)


def _ranked(hint: str, paths: Sequence[str]) -> list[str]:
    """Sort by likeness of the name first, then of the whole path."""
    from rapidfuzz import fuzz, utils  # costs an idle daemon nothing

    def likeness(path: str) -> tuple[float, float, str]:
        name = fuzz.WRatio(hint, os.path.basename(path), processor=utils.default_process)
        return -name, -fuzz.partial_ratio(hint, path, processor=utils.default_process), path

    return sorted(paths, key=likeness)


def _named(task: str, paths: Sequence[str]) -> list[str]:
    """Sort by whether a task says the name, all of its words or nearly so, then by how much of the whole path it says."""
    from rapidfuzz import fuzz, utils  # costs an idle daemon nothing

    said = utils.default_process(task)

    def likeness(path: str) -> tuple[float, float, str]:
        name = utils.default_process(os.path.basename(path))
        alike = fuzz.token_set_ratio(name, said)
        if len(name) >= _SHORT:
            alike = max(alike, 0.9 * fuzz.partial_ratio(name, said))
        words = fuzz.token_set_ratio(path, said, processor=utils.default_process)
        return -alike if alike >= _CHANCE else 0, -words, path

    return sorted(paths, key=likeness)


def _lies_in(path: str, within: Sequence[str]) -> bool:
    return not within or any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in within)
