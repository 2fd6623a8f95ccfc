"""Walk a directory in a stable order, never through a link, and leave out what is ignored."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.tools import ignore
from sandbox.tools.ignore import VERSION_CONTROL


@dataclass(frozen=True, slots=True)
class _Ignores:
    """The rules of one directory's ignore file, and the directory they are relative to."""

    directory: str
    rules: tuple[ignore.Rule, ...]


def files(root: str, *, obey_ignores: bool, skip: frozenset[str] = VERSION_CONTROL) -> Iterator[str]:
    """Yield the paths of all plain files below a directory, deeper ones after their siblings by name.

    Args:
        root: An absolute path.
        obey_ignores: Leave out what `.gitignore` files between the repository's top and the file leave out.
        skip: Names of directories that are never entered.
    """
    stack = _above(root) if obey_ignores else []
    yield from _below(root, stack, obey_ignores=obey_ignores, skip=skip)


def _below(
    directory: str, ignores: list[_Ignores], *, obey_ignores: bool, skip: frozenset[str]
) -> Iterator[str]:
    if obey_ignores:
        ignores = [*ignores, *_read(directory)]
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return  # what cannot be read is not found
    deeper: list[str] = []
    for entry in entries:
        is_directory = entry.is_dir(follow_symlinks=False)
        if entry.name in skip or _is_ignored(ignores, entry.path, is_directory=is_directory):
            continue
        if is_directory:
            deeper.append(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry.path
    for path in deeper:
        yield from _below(path, ignores, obey_ignores=obey_ignores, skip=skip)


def _is_ignored(ignores: list[_Ignores], path: str, *, is_directory: bool) -> bool:
    """Ask the nearest ignore file first; the first that speaks decides."""
    for each in reversed(ignores):
        decision = ignore.decide(each.rules, os.path.relpath(path, each.directory), is_directory=is_directory)
        if decision is not None:
            return decision
    return False


def _above(root: str) -> list[_Ignores]:
    """Collect the ignore files between the top of the repository that holds `root` and `root` itself."""
    found: list[_Ignores] = []
    directory = root
    while not os.path.lexists(os.path.join(directory, ".git")):
        parent = os.path.dirname(directory)
        if parent == directory:
            return []
        directory = parent
        found = [*_read(directory), *found]
    return found


def _read(directory: str) -> list[_Ignores]:
    try:
        with open(os.path.join(directory, ".gitignore"), encoding="utf-8", errors="replace") as file:
            rules = ignore.parse(file.read())
    except OSError:
        return []
    return [_Ignores(directory, rules)]
