"""Preparing everything new beside its target, so that each step needs only a rename afterwards.

Beside, and not in a directory of our own: what is made in a directory inherits its group, its access list, its
label and its quota, and a rename never crosses a file system.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.changes.applying.ground import Ground
from sandbox.changes.applying.plan import Chmod, Step
from sandbox.changes.applying.removal import remove_tree
from sandbox.changes.applying.trees import Node, intact
from sandbox.changes.beneath import kind_of, look, open_directory, open_file, parent_of
from sandbox.changes.change import Kind
from sandbox.changes.outcome import Clash
from sandbox.changes.sources import Sources
from sandbox.errors import ChangesetError


def stage(ground: Ground, sources: Sources) -> list[int | None]:
    """Prepare all steps, make them durable, and return each step's staged inode.

    Raises:
        BlockedError: when a path is not what the changeset says, or cannot be written.
        ChangesetError: `changeset_changed` when the run's layer no longer holds what was approved.
    """
    for unlock in ground.plan.unlocks:
        ground.change_mode(unlock, unlock.old_mode, unlock.new_mode)
    for chmod in ground.plan.chmods:
        _check_mode(ground, chmod)
    staged = [_stage_step(ground, sources, step) for step in ground.plan.steps]
    ground.sync(sorted({path for step in ground.plan.steps for path in _staged_paths(step)}))
    return staged


def abandon(ground: Ground) -> None:
    """Remove what was staged, whether or not all of it was.

    The names are this apply's own, and before the intent is written nothing of the owner's bears one.
    """
    for step in ground.plan.steps:
        with ground.reached(step.root, step.path) as place:
            if place is not None:  # a directory that is gone took what was staged in it along
                remove_tree(place[0], step.stage, ground.disk)


def _check_mode(ground: Ground, chmod: Chmod) -> None:
    """Check that a directory whose mode is to change is there and still has the old one."""
    with ground.at(chmod, Clash.CHANGED) as (dir_fd, name):
        found = look(dir_fd, name)
        if found is None or (found.st_ino, found.st_mode & 0o777) != (chmod.ino, chmod.old_mode):
            raise ground.blocked(chmod, Clash.CHANGED)


def _stage_step(ground: Ground, sources: Sources, step: Step) -> int | None:
    """Check one step's precondition and prepare what it puts in place; return the inode of that."""
    with ground.at(step, Clash.CHANGED) as (dir_fd, name):
        if not intact(dir_fd, name, step.before):
            raise ground.blocked(step, Clash.CHANGED)
        with _replaced(dir_fd, name, step) as like:
            for node in step.after:
                with parent_of(dir_fd, _joined(step.stage, node)) as (into_fd, into):
                    _make(ground, sources, step, node, into_fd, into, like)
        for node in reversed(step.after):
            if node.kind is Kind.DIRECTORY:
                _finish_directory(ground, dir_fd, _joined(step.stage, node), node)
        found = look(dir_fd, step.stage)
        return None if found is None else found.st_ino


def _joined(top: str, node: Node) -> str:
    """Return the path of a node below the path that stands for its step."""
    return f"{top}/{node.path}" if node.path else top


def _make(
    ground: Ground, sources: Sources, step: Step, node: Node, into_fd: int, into: str, like: int | None
) -> None:
    """Prepare one path, without what lies below it."""
    if node.kind is Kind.DIRECTORY:
        ground.disk.make_directory(into_fd, into)
    elif node.kind is Kind.SYMLINK:
        ground.disk.link_to(node.target or "", into_fd, into)
    else:
        path = ground.plan.absolute(step.root, _joined(step.path, node))
        fd = _open_written(sources, path)
        if sources.restored is not None:
            like = fd
        elif node.path:
            like = None
        try:
            digest = ground.disk.copy_file(fd, into_fd, into, node.mode, like=like)
        finally:
            os.close(fd)
        if digest != node.sha256:
            raise _changed(path)


def _open_written(sources: Sources, path: str) -> int:
    """Open the file that the run wrote for a path."""
    try:
        return sources.open_upper(path)
    except OSError as error:
        raise _changed(path) from error


@contextmanager
def _replaced(dir_fd: int, name: str, step: Step) -> Iterator[int | None]:
    """Yield the file that a new file replaces, for its owner and attributes; None when it replaces none."""
    is_file = bool(step.before) and kind_of(step.before[0].stamp.mode) is Kind.FILE
    if not is_file or not step.after or step.after[0].kind is not Kind.FILE:
        yield None
        return
    fd = open_file(dir_fd, name)
    try:
        yield fd
    finally:
        os.close(fd)


def _finish_directory(ground: Ground, dir_fd: int, path: str, node: Node) -> None:
    """Give a prepared directory its mode, now that it is filled."""
    with parent_of(dir_fd, path) as (parent_fd, name):
        fd = open_directory(parent_fd, name)
        try:
            ground.disk.set_mode(fd, node.mode)
        finally:
            os.close(fd)


def _staged_paths(step: Step) -> Iterator[tuple[int, str]]:
    """Yield the prepared files and directories of a step, and where they stand, relative to the grant."""
    directory = step.path.rpartition("/")[0]
    for node in step.after:
        if node.kind is not Kind.SYMLINK:  # a link's text is part of its directory
            yield step.root, _joined(f"{directory}/{step.stage}" if directory else step.stage, node)
    yield step.root, directory or "."


def _changed(name: str) -> ChangesetError:
    return ChangesetError("changeset_changed", f"the run's layer no longer holds {name} as it was approved")
