"""What would take an applied changeset back, read from its plan, its originals and what stands on the disk now.

A path counts as left alone if kind, permission bits and content are what the apply put there, in a directory of the
same file system, with nothing added below. Times and inodes do not count: saving a file unchanged changes nothing.
Everything else is drift, because to take it back would be to destroy what somebody made of it since.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256

from sandbox.changes.applying.ground import Ground
from sandbox.changes.applying.plan import Chmod, Step
from sandbox.changes.applying.trees import Known, Node, is_node
from sandbox.changes.beneath import kind_of, look, open_directory, open_file, parent_of, stamp_of
from sandbox.changes.change import Change, Changeset, Kind, Op, Stamp, changeset
from sandbox.changes.content import read_content
from sandbox.changes.protected import name_flags
from sandbox.changes.sources import Source, Sources
from sandbox.changes.survey.renames import with_renames
from sandbox.errors import ChangesetError

_PERMISSIONS = 0o777


class _ChangedError(Exception):
    """A path is not what the apply left there."""


def inverse(ground: Ground, originals_fd: int) -> tuple[Changeset, Sources]:
    """Return the changeset that takes an applied plan back, and the sources to apply it from.

    Its `drift` names the paths that somebody changed since; its digest says what would stand there afterwards.

    Raises:
        ChangesetError: `originals_damaged` when what was replaced is not kept as it was.
    """
    entries: list[Change] = []
    drift: list[str] = []
    kept: dict[str, str] = {}
    for number, step in enumerate(ground.plan.steps):
        old = {node.path: node for node in _kept(ground, originals_fd, number, step)}
        kept |= {_absolute(ground, step, path): _joined(str(number), path) for path in old}
        try:
            entries += _step(ground, step, old, _standing(ground, step))
        except (_ChangedError, OSError):
            drift.append(_absolute(ground, step, ""))
    for chmod in ground.plan.chmods:
        try:
            entries.append(_mode(ground, chmod))
        except (_ChangedError, OSError):
            drift.append(ground.plan.absolute(chmod.root, chmod.path))
    tops = zip(ground.plan.roots, ground.fds, strict=True)
    layers = tuple(Source(root.path, originals_fd, fd) for root, fd in tops)
    return changeset(with_renames(entries), (), drift), Sources(layers, kept)


def _kept(ground: Ground, originals_fd: int, number: int, step: Step) -> Iterator[Node]:
    """Yield what a step replaced, as it is kept."""
    for known in step.before:
        try:
            with parent_of(originals_fd, _joined(str(number), known.path)) as (dir_fd, name):
                node = _read(dir_fd, name, known)
        except OSError:
            node = None
        if node is None or (known.sha256 is not None and node.sha256 != known.sha256):
            path = _absolute(ground, step, known.path)
            raise ChangesetError("originals_damaged", f"what stood at {path} is not kept as it was")
        yield node


def _read(dir_fd: int, name: str, known: Known) -> Node | None:
    """Return one kept path as what will stand at its place again; None when it is another kind of thing."""
    kind = kind_of(known.stamp.mode)
    found = look(dir_fd, name)
    if kind is None or found is None or kind_of(found.st_mode) is not kind:
        return None
    mode = known.stamp.mode & _PERMISSIONS
    if kind is Kind.SYMLINK:
        return Node(known.path, kind, target=os.readlink(name, dir_fd=dir_fd))
    if kind is Kind.DIRECTORY:
        return Node(known.path, kind, mode)
    fd = open_file(dir_fd, name)
    try:
        return Node(known.path, kind, mode, read_content(fd).sha256)
    finally:
        os.close(fd)


def _standing(ground: Ground, step: Step) -> dict[str, Stamp]:
    """Return the stamps of what a step put in place; each is read before the content is."""
    root_fd = ground.fds[step.root]
    device = os.fstat(root_fd).st_dev
    below: dict[str, set[str]] = defaultdict(set)
    for node in step.after:
        if node.path:
            above, _, name = node.path.rpartition("/")
            below[above].add(name)
    stamps: dict[str, Stamp] = {}
    for node in step.after:
        with parent_of(root_fd, _joined(step.path, node.path)) as (dir_fd, name):
            found = look(dir_fd, name)
            if found is None or found.st_dev != device or not _is_left(dir_fd, name, node, found):
                raise _ChangedError
            if node.kind is Kind.DIRECTORY and _names(dir_fd, name) != below[node.path]:
                raise _ChangedError
            stamps[node.path] = stamp_of(found)
    if not step.after:
        with parent_of(root_fd, step.path) as (dir_fd, name):
            if os.fstat(dir_fd).st_dev != device or look(dir_fd, name) is not None:
                raise _ChangedError
    return stamps


def _is_left(dir_fd: int, name: str, node: Node, found: os.stat_result) -> bool:
    same_mode = node.kind is Kind.SYMLINK or found.st_mode & _PERMISSIONS == node.mode
    return kind_of(found.st_mode) is node.kind and same_mode and is_node(dir_fd, name, node)


def _names(dir_fd: int, name: str) -> set[str]:
    fd = open_directory(dir_fd, name)
    try:
        return set(os.listdir(fd))
    finally:
        os.close(fd)


def _step(ground: Ground, step: Step, old: dict[str, Node], stamps: dict[str, Stamp]) -> Iterator[Change]:
    """Yield the changes that take one step back."""
    new = {node.path: node for node in step.after}
    for path in sorted(old.keys() | new.keys()):
        leaves, comes = new.get(path), old.get(path)
        absolute = _absolute(ground, step, path)
        named = name_flags(_joined(step.path, path))
        if leaves is not None and comes is not None and leaves.kind is comes.kind:
            if leaves != comes:
                yield _replace(absolute, leaves, comes, stamps[path], named)
            continue
        if leaves is not None:
            yield _remove(absolute, leaves, stamps[path], named)
        if comes is not None:
            size_bytes = _size(step, path) if comes.kind is Kind.FILE else None
            yield _bring(absolute, comes, size_bytes, named)


def _size(step: Step, path: str) -> int:
    return next(known.stamp.size_bytes for known in step.before if known.path == path)


def _replace(path: str, leaves: Node, comes: Node, stamp: Stamp, named: tuple[str, ...]) -> Change:
    """Return the change from one file, link or directory to another."""
    op, old_sha256 = Op.MODE, None
    if comes.kind is Kind.SYMLINK:
        op, old_sha256 = Op.SYMLINK, sha256(os.fsencode(leaves.target or "")).hexdigest()
    elif leaves.sha256 != comes.sha256:
        op, old_sha256 = Op.MODIFY, leaves.sha256
    modes = comes.kind is not Kind.SYMLINK
    return Change(
        op=op,
        path=path,
        kind=comes.kind,
        old_mode=leaves.mode if modes else None,
        new_mode=comes.mode if modes else None,
        sha256=comes.sha256,
        target=comes.target,
        flags=_flags(named, comes.mode & ~leaves.mode if comes.kind is Kind.FILE else 0),
        old_sha256=old_sha256,
        before=stamp,
    )


def _remove(path: str, leaves: Node, stamp: Stamp, named: tuple[str, ...]) -> Change:
    """Return the change that removes what the apply made."""
    return Change(
        op=Op.DELETE,
        path=path,
        kind=leaves.kind,
        old_mode=None if leaves.kind is Kind.SYMLINK else leaves.mode,
        size_bytes=stamp.size_bytes if leaves.kind is Kind.FILE else None,
        sha256=leaves.sha256,
        target=leaves.target,
        flags=named,
        before=stamp,
    )


def _bring(path: str, comes: Node, size_bytes: int | None, named: tuple[str, ...]) -> Change:
    """Return the change that puts a kept path back where nothing of its kind stands."""
    ops = {Kind.FILE: Op.CREATE, Kind.DIRECTORY: Op.MKDIR, Kind.SYMLINK: Op.SYMLINK}
    return Change(
        op=ops[comes.kind],
        path=path,
        kind=comes.kind,
        new_mode=None if comes.kind is Kind.SYMLINK else comes.mode,
        size_bytes=size_bytes,
        sha256=comes.sha256,
        target=comes.target,
        flags=_flags(named, comes.mode if comes.kind is Kind.FILE else 0),
    )


def _flags(named: tuple[str, ...], gained: int) -> tuple[str, ...]:
    """Return what to notice of a file that gains these permission bits, beside what its name tells."""
    executable = ("executable",) if gained & 0o111 else ()
    writable = ("world_writable",) if gained & stat.S_IWOTH else ()
    return tuple(sorted({*named, *executable, *writable}))


def _mode(ground: Ground, chmod: Chmod) -> Change:
    """Return the change that gives a directory the permission bits back that it had."""
    plan, place = ground.plan, (chmod.root, chmod.path)
    old = next((one.old_mode for one in plan.unlocks if (one.root, one.path) == place), chmod.old_mode)
    new = next((one.new_mode for one in plan.locks if (one.root, one.path) == place), chmod.new_mode)
    root_fd = ground.fds[chmod.root]
    with parent_of(root_fd, chmod.path) as (dir_fd, name):
        found = look(dir_fd, name)
    if found is None or (found.st_ino, found.st_dev) != (chmod.ino, os.fstat(root_fd).st_dev):
        raise _ChangedError
    if found.st_mode & _PERMISSIONS != new:
        raise _ChangedError
    path = plan.absolute(chmod.root, chmod.path)
    return Change(
        op=Op.MODE, path=path, kind=Kind.DIRECTORY, old_mode=new, new_mode=old, before=stamp_of(found)
    )


def _joined(top: str, path: str) -> str:
    return f"{top}/{path}" if path else top


def _absolute(ground: Ground, step: Step, path: str) -> str:
    return ground.plan.absolute(step.root, _joined(step.path, path))
