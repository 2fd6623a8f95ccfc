"""Comparing what stands on the disk with what is expected there: before a change, and before it is undone."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sandbox.changes.beneath import kind_of, look, open_directory, open_file, parent_of, stamp_of
from sandbox.changes.change import Kind, Stamp
from sandbox.changes.content import read_content


@dataclass(frozen=True, slots=True)
class Known:
    """What stood at a path when the changeset was collected. `path` is relative to the step's own.

    `sha256` is of a file's content.
    """

    path: str
    stamp: Stamp
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """What will stand at a path. `path` is relative to the step's own, `mode` are permission bits.

    `sha256` is a file's content, `target` a link's text.
    """

    path: str
    kind: Kind
    mode: int = 0
    sha256: str | None = None
    target: str | None = None


def intact(dir_fd: int, name: str, known: tuple[Known, ...], *, renamed: bool = False) -> bool:
    """Say whether a path, with everything below it, is what was known of it and nothing more.

    Renaming a path is a change to its own ctime, which is then not compared.
    """
    found = _stamps(dir_fd, name)
    expected = {one.path: one.stamp for one in known}
    if renamed and "" in found and "" in expected:
        found[""] = replace(found[""], ctime_ns=expected[""].ctime_ns)
    return found == expected


def equal(dir_fd: int, name: str, known: tuple[Known, ...]) -> bool:
    """Say the same of a path that may have been renamed away and back by an apply that died.

    Where a ctime differs the file's content must tell.
    """
    found = _stamps(dir_fd, name)
    if found.keys() != {one.path for one in known}:
        return False
    for one in known:
        stamp = found[one.path]
        if replace(stamp, ctime_ns=one.stamp.ctime_ns) != one.stamp:
            return False
        if stamp != one.stamp and one.sha256 is not None and not _holds(dir_fd, name, one):
            return False
    return True


def _holds(dir_fd: int, name: str, known: Known) -> bool:
    """Say whether a file has the content that was known."""
    node = Node(known.path, Kind.FILE, sha256=known.sha256)
    with parent_of(dir_fd, f"{name}/{known.path}" if known.path else name) as (parent_fd, entry):
        return is_node(parent_fd, entry, node)


def _stamps(dir_fd: int, name: str) -> dict[str, Stamp]:
    """Return the stamps of a path and of everything below it, by relative path."""
    stamps: dict[str, Stamp] = {}
    for path, parent_fd, entry in _entries(dir_fd, name):
        found = look(parent_fd, entry)
        if found is not None:
            stamps[path] = stamp_of(found)
    return stamps


def ours(dir_fd: int, name: str, nodes: tuple[Node, ...]) -> bool:
    """Say whether a path, with everything below it, still carries exactly what was put there."""
    expected = {node.path: node for node in nodes}
    seen: set[str] = set()
    for path, parent_fd, entry in _entries(dir_fd, name):
        node = expected.get(path)
        if node is None or not is_node(parent_fd, entry, node):
            return False
        seen.add(path)
    return seen == expected.keys()


def is_node(dir_fd: int, name: str, node: Node) -> bool:
    """Say whether one path, without what lies below it, carries what was put there. Modes do not count."""
    try:
        found = look(dir_fd, name)
        if found is None or kind_of(found.st_mode) is not node.kind:
            return False
        if node.kind is Kind.SYMLINK:
            return os.readlink(name, dir_fd=dir_fd) == node.target
        if node.kind is Kind.FILE:
            with _closing(open_file(dir_fd, name)) as fd:
                return read_content(fd).sha256 == node.sha256
    except OSError:
        return False  # replaced while it was looked at, or made unreadable: not what we put there
    return True


def _entries(dir_fd: int, name: str, path: str = "") -> Iterator[tuple[str, int, str]]:
    """Yield a path and everything below it, the upper first: relative path, open directory, name in it."""
    found = look(dir_fd, name)
    if found is None:
        return
    yield path, dir_fd, name
    if not stat.S_ISDIR(found.st_mode):
        return
    with _closing(open_directory(dir_fd, name)) as fd:
        for entry in sorted(os.listdir(fd)):
            yield from _entries(fd, entry, f"{path}/{entry}" if path else entry)


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
