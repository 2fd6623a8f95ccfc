"""Turning a changeset into the few steps that carry it out.

A step replaces what stands at one path by something prepared beside it, with one rename: a file, a link, or a
whole tree when a directory appears or disappears. Steps touch disjoint paths, so each can be done, checked and
undone on its own. Modes of directories change in place and come last. A directory that denies its owner writing
is unlocked for the time of the apply.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sandbox.changes.applying.trees import Known, Node
from sandbox.changes.beneath import parent_of
from sandbox.changes.change import Change, Changeset, Kind, Op
from sandbox.changes.protected import STAGE_PREFIX
from sandbox.changes.sources import Sources

_OWNER_WRITES = 0o200


@dataclass(frozen=True, slots=True)
class Step:
    """Replace what stands at `path` (`before`, empty for nothing) by what is staged (`after`, empty for nothing).

    `root` numbers the grant, `path` is relative to it. `stage` is the name, in the same directory, under which
    the new is prepared and the old put aside. Both lists begin with the path itself.
    """

    root: int
    path: str
    stage: str
    before: tuple[Known, ...]
    after: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Chmod:
    """Change the permission bits of one directory that stays; `path` is `.` for the grant itself."""

    root: int
    path: str
    ino: int
    old_mode: int
    new_mode: int


@dataclass(frozen=True, slots=True)
class Root:
    """One grant: its absolute path and the inode it had."""

    path: str
    ino: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an apply will do, decided before anything is done.

    `steps` and then `chmods` are the changeset. `unlocks` come before the staging and are taken back when
    nothing is applied; `locks` come at the very end when it is.
    """

    digest: str
    roots: tuple[Root, ...]
    unlocks: tuple[Chmod, ...]
    steps: tuple[Step, ...]
    chmods: tuple[Chmod, ...]
    locks: tuple[Chmod, ...]

    def absolute(self, root: int, path: str) -> str:
        """Return the absolute path of a step's path."""
        return self.roots[root].path if path == "." else f"{self.roots[root].path}/{path}"


@dataclass(slots=True)
class _Place:
    """What happens at one path: what leaves it and what comes to it."""

    known: Known | None = None
    node: Node | None = None


@dataclass(slots=True)
class _Group:
    """The paths of one step; `path` is the uppermost."""

    path: str
    known: list[Known] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def takes(self, path: str, place: _Place) -> bool:
        """Say whether a path lies in a tree that this step moves as a whole."""
        if not path.startswith(f"{self.path}/"):
            return False
        leaves = bool(self.known) and stat.S_ISDIR(self.known[0].stamp.mode)
        comes = bool(self.nodes) and self.nodes[0].kind is Kind.DIRECTORY
        return (place.known is None or leaves) and (place.node is None or comes)

    def add(self, path: str, place: _Place) -> None:
        """Take a path in."""
        relative = path[len(self.path) + 1 :]
        if place.known is not None:
            self.known.append(replace(place.known, path=relative))
        if place.node is not None:
            self.nodes.append(replace(place.node, path=relative))


def make_plan(changes: Changeset, sources: Sources, token: str) -> Plan:
    """Return the plan for a changeset.

    Args:
        changes: The changeset, free of drift.
        sources: The layers it was collected from.
        token: Makes the names beside the targets this apply's own.
    """
    steps: list[Step] = []
    chmods: list[Chmod] = []
    for number, places in enumerate(_places(changes, sources, chmods)):
        for group in _groups(places):
            stage = f"{STAGE_PREFIX}{token}-{len(steps)}"
            steps.append(Step(number, group.path, stage, tuple(group.known), tuple(group.nodes)))
    roots = tuple(Root(source.top, os.fstat(source.lower_fd).st_ino) for source in sources.layers)
    return _with_modes(Plan(changes.digest, roots, (), tuple(steps), (), ()), chmods, sources)


def _places(changes: Changeset, sources: Sources, chmods: list[Chmod]) -> list[dict[str, _Place]]:
    """Return, for each layer, what happens at which path; modes of directories go to `chmods`."""
    places: list[dict[str, _Place]] = [defaultdict(_Place) for _ in sources.layers]
    for change in changes.entries:
        root, path = sources.find(change.path)
        if change.op is Op.MODE and change.kind is Kind.DIRECTORY and change.before is not None:
            old, new = change.old_mode or 0, change.new_mode or 0
            chmods.append(Chmod(root, path, change.before.ino, old, new))
            continue
        if change.before is not None:
            places[root][path].known = Known("", change.before, _old_sha256(change))
        if change.op is Op.RENAME:
            root, path = sources.find(change.target or "")
        if change.op is not Op.DELETE:
            places[root][path].node = _node(change)
    return places


def _old_sha256(change: Change) -> str | None:
    """Return the digest of the file content that a change finds; a mode change and a rename keep it."""
    if change.kind is not Kind.FILE:
        return None
    return change.old_sha256 if change.op is Op.MODIFY else change.sha256


def _node(change: Change) -> Node:
    """Return what a change puts in place."""
    target = change.target if change.kind is Kind.SYMLINK else None
    return Node("", change.kind, change.new_mode or 0, change.sha256, target)


def _groups(places: Mapping[str, _Place]) -> list[_Group]:
    """Gather the paths of trees that appear or disappear as a whole."""
    groups: list[_Group] = []
    for path in sorted(places, key=lambda one: one.split("/")):
        if not groups or not groups[-1].takes(path, places[path]):
            groups.append(_Group(path))
        groups[-1].add(path, places[path])
    return groups


def _with_modes(plan: Plan, changed: Iterable[Chmod], sources: Sources) -> Plan:
    """Return the plan with the modes of directories, keeping those writable in which something changes.

    A directory of which the run took the write bit away loses it only when everything in it is finished.
    """
    chmods = {(one.root, one.path): one for one in changed}
    unlocks: list[Chmod] = []
    locks: list[Chmod] = []
    for root, path in sorted({(step.root, step.path.rpartition("/")[0] or ".") for step in plan.steps}):
        chmod = chmods.get((root, path)) or _unchanged(root, path, sources)
        if chmod is None:
            continue
        old, new = chmod.old_mode | _OWNER_WRITES, chmod.new_mode | _OWNER_WRITES
        if old != chmod.old_mode:
            unlocks.append(replace(chmod, new_mode=old))
        if new != chmod.new_mode:
            locks.append(replace(chmod, old_mode=new))
        if (root, path) in chmods:
            chmods[root, path] = replace(chmod, old_mode=old, new_mode=new)
    deepest_first = sorted(chmods.values(), key=lambda one: (one.root, -one.path.count("/"), one.path))
    return replace(plan, unlocks=tuple(unlocks), chmods=tuple(deepest_first), locks=tuple(reversed(locks)))


def _unchanged(root: int, path: str, sources: Sources) -> Chmod | None:
    """Return a directory's present mode as a change to itself; None when the staging will find it missing."""
    try:
        with parent_of(sources.layers[root].lower_fd, path) as (dir_fd, name):
            found = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError:
        return None
    mode = found.st_mode & 0o777
    return Chmod(root, path, found.st_ino, mode, mode)
