"""Looking for projects below some roots: breadth first, and bounded in depth, in directories and in time.

A home can hold millions of files, so the look goes wide before it goes deep and stops where its bounds are: what is near
a root is what people call a project. It never follows a link, never enters what is hidden or generated, and never enters
a project it has found. Only names are looked at; nothing is opened.
"""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# What makes a directory a project, the surest first.
MARKERS: Final = (
    *(".git", ".hg", ".jj", "pyproject.toml", "package.json", "Cargo.toml", "go.mod", "pom.xml"),
    *(
        "build.gradle",
        "build.gradle.kts",
        "composer.json",
        "Gemfile",
        "mix.exs",
        "CMakeLists.txt",
        "setup.py",
    ),
)
_USUAL: Final = ("src", "code", "dev", "git", "projects", "Projects", "repos", "work", "workspace")
_GENERATED: Final = frozenset(
    {"node_modules", "__pycache__", "venv", "target", "build", "dist", "vendor", "site-packages", "Library"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far a look goes; `entries` bounds how many names of one directory are read."""

    depth: int = 4
    directories: int = 20_000
    entries: int = 5_000
    projects: int = 5_000
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Project:
    """A directory with a marker in it, by its path without links."""

    path: str
    name: str
    marker: str


def usual_roots(home: Path) -> list[str]:
    """Return the directories below a home in which people keep projects, as far as they are there."""
    return [str(home / name) for name in _USUAL if (home / name).is_dir()]


def scan(roots: Iterable[str], bounds: Bounds | None = None) -> Iterator[Project]:
    """Yield the projects at and below the roots; what cannot be read is passed over."""
    limits = bounds or Bounds()
    until = time.monotonic() + limits.seconds
    waiting: deque[tuple[str, int]] = deque()
    seen: set[tuple[int, int]] = set()
    for root in roots:
        waiting.append((os.path.realpath(root), 0))
    looked = found = 0
    while waiting and looked < limits.directories and found < limits.projects and time.monotonic() < until:
        path, depth = waiting.popleft()
        if not _is_new(path, seen):
            continue
        looked += 1
        marker, inside = _look(path, limits.entries)
        if marker is not None:
            found += 1
            yield Project(path, os.path.basename(path), marker)
        elif depth < limits.depth:
            waiting.extend((child, depth + 1) for child in inside)


def marker_in(path: str) -> str | None:
    """Return what makes a directory a project now, or None."""
    return next((name for name in MARKERS if os.path.lexists(os.path.join(path, name))), None)


def _is_new(path: str, seen: set[tuple[int, int]]) -> bool:
    """Whether a directory was not looked at yet, under whatever name; roots may lie in one another."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    identity = (found.st_dev, found.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _look(path: str, entries: int) -> tuple[str | None, list[str]]:
    """Return a directory's marker, and the directories in it that are worth a look."""
    names: set[str] = set()
    inside: list[str] = []
    try:
        path.encode()
        with os.scandir(path) as found:
            for entry in found:
                if len(names) >= entries:
                    break
                names.add(entry.name)
                if _worth(entry):
                    inside.append(entry.path)
    except (OSError, UnicodeEncodeError):
        return None, []
    return next((name for name in MARKERS if name in names), None), sorted(inside)


def _worth(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name in _GENERATED:
        return False
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
