"""Which paths Git ignores and does not track, asked of the owner's own files and of nothing the run wrote.

Only `.gitignore` files of the lower layer count, as they stood before the run: a run that adds `*` to one
would otherwise hide its own work from the review, and one that empties one would carry `.env` out of hiding.
`info/exclude` counts too, as does the index, because what Git tracks is part of the work whatever the patterns
say. The owner's global excludes file is not read: it is found through configuration, and configuration is
what this room never asks.
"""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sandbox.changes.git.index import Tracked, tracked
from sandbox.changes.git.rules import Pattern, parse

_MAX_RULES_BYTES = 4 * 1024 * 1024


class _Repository:
    """One repository's exclude patterns and index, each read once and only when asked for."""

    def __init__(self, git_directory: Path) -> None:
        self._git_directory = git_directory

    @cached_property
    def excludes(self) -> tuple[Pattern, ...]:
        common = _pointed(self._git_directory / "commondir", b"") or self._git_directory
        return _rules(common / "info" / "exclude")

    @cached_property
    def index(self) -> Tracked:
        return tracked(self._git_directory)


@dataclass(frozen=True, slots=True)
class Scope:
    """One directory of the lower layer as Git sees it; `enter` leads to its subdirectories.

    `rules` holds, from the repository's top downwards, each directory's depth and its own patterns.
    """

    directory: Path
    repository: _Repository | None = None
    parts: tuple[bytes, ...] = ()
    rules: tuple[tuple[int, tuple[Pattern, ...]], ...] = ()
    all_ignored: bool = False

    def enter(self, name: str) -> "Scope":
        """Return the scope of a subdirectory, whether or not it exists in the lower layer."""
        directory = self.directory / name
        repository = _repository_at(directory)
        if repository is not None:
            return _top(directory, repository)
        if self.repository is None:
            return Scope(directory)
        parts = (*self.parts, os.fsencode(name))
        return replace(
            self,
            directory=directory,
            parts=parts,
            rules=_with(self.rules, len(parts), directory),
            all_ignored=self.all_ignored or self._matched(parts, is_directory=True),
        )

    def ignores(self, name: str, *, is_directory: bool) -> bool:
        """Say whether an entry stays behind: ignored, and nothing of it tracked."""
        if self.repository is None:
            return False
        if is_directory and _repository_at(self.directory / name) is not None:
            return False  # a repository of its own has its own say about what is in it
        parts = (*self.parts, os.fsencode(name))
        if not self.all_ignored and not self._matched(parts, is_directory=is_directory):
            return False
        path = b"/".join(parts)
        index = self.repository.index
        return not (index.holds(path) or (is_directory and index.below(path)))

    def _matched(self, parts: tuple[bytes, ...], *, is_directory: bool) -> bool:
        """Say what the last matching pattern says: the deepest file first, `info/exclude` last."""
        for depth, patterns in reversed(self.rules):
            for pattern in reversed(patterns):
                if pattern.matches(parts[depth:], is_directory=is_directory):
                    return not pattern.negated
        return False


def scope_of(directory: Path) -> Scope:
    """Return the scope of a granted directory: the repository may begin above it."""
    for above in (directory, *directory.parents):
        repository = _repository_at(above)
        if repository is not None:
            scope = _top(above, repository)
            for name in directory.relative_to(above).parts:
                scope = scope.enter(name)
            return scope
    return Scope(directory)


def _top(directory: Path, repository: _Repository) -> Scope:
    """Return the scope of a repository's top directory, where nothing from above counts."""
    rules = ((0, repository.excludes),)
    return Scope(directory, repository, rules=_with(rules, 0, directory))


def _with(
    rules: tuple[tuple[int, tuple[Pattern, ...]], ...], depth: int, directory: Path
) -> tuple[tuple[int, tuple[Pattern, ...]], ...]:
    """Return the rules with those of a directory's own .gitignore, if it has any."""
    own = _rules(directory / ".gitignore")
    return (*rules, (depth, own)) if own else rules


def _repository_at(directory: Path) -> _Repository | None:
    """Return the repository whose top is this directory: `.git` is its directory or a file that names it."""
    dot_git = directory / ".git"
    git_directory = dot_git if dot_git.is_dir() else _pointed(dot_git, b"gitdir: ")
    if git_directory is None or not (git_directory / "HEAD").exists():
        return None
    return _Repository(git_directory)


def _pointed(path: Path, prefix: bytes) -> Path | None:
    """Return the directory that a one-line file names, relative to its own, or None."""
    text = _content(path, 4096)
    if not text or not text.startswith(prefix):
        return None
    return path.parent / os.fsdecode(text.removeprefix(prefix).rstrip(b"\r\n"))


def _rules(path: Path) -> tuple[Pattern, ...]:
    """Return the patterns of an ignore file; like Git, do not follow a symbolic link to it."""
    return parse(_content(path, _MAX_RULES_BYTES))


def _content(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a small file; nothing when it is missing, no plain file, too large or a link."""
    try:
        # O_NONBLOCK: a fifo of this name must not hold the daemon.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError):
        return b""
    return content if len(content) <= max_bytes else b""
