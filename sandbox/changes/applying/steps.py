"""Doing one step of an apply and undoing it, each with one rename and the checks around it.

Before a rename the target is compared with what was known of it, and after it, once it is out of everybody's
way, compared again. What slipped in between is put back. Whether a step is done is read from the disk: the
staged inode stands under the stage name before and under the target's name afterwards. So both directions can
be interrupted at any point and simply be called again.
"""

import errno
from contextlib import suppress

from sandbox.changes.applying.ground import Ground
from sandbox.changes.applying.plan import Step
from sandbox.changes.applying.trees import Node, equal, intact, is_node, ours
from sandbox.changes.beneath import is_gone, look, parent_of
from sandbox.changes.change import Kind
from sandbox.changes.outcome import Clash

_ASIDE = "~"  # ends the name under which the old waits where a file system cannot exchange in one step


def do(ground: Ground, step: Step, staged: int | None) -> None:
    """Do a step, unless it is done already.

    Raises:
        BlockedError: when its precondition does not hold; the path is then as it was found.
    """
    with ground.at(step) as (dir_fd, name):
        _finish_swap(ground, dir_fd, name, step)
        at_stage = _ino(dir_fd, step.stage)
        if (step.after and at_stage != staged) or (not step.after and at_stage is not None):
            if step.after and not ours(dir_fd, name, step.after):
                raise ground.blocked(step, Clash.MIDWAY)
            return  # done already
        # An apply that died before may have moved it away and back.
        if not intact(dir_fd, name, step.before) and not equal(dir_fd, name, step.before):
            raise ground.blocked(step, Clash.MIDWAY)
        _put(ground, dir_fd, name, step)
        if step.before and not intact(dir_fd, step.stage, step.before, renamed=True):
            _take_back(ground, dir_fd, name, step)
            raise ground.blocked(step, Clash.MIDWAY)


def undo(ground: Ground, step: Step, staged: int | None) -> None:
    """Undo a step, unless it was never done or is undone already.

    Raises:
        BlockedError: when somebody changed the path since; what they made of it is left in place.
    """
    with ground.at(step, Clash.NOT_UNDONE) as (dir_fd, name):
        _finish_swap(ground, dir_fd, name, step)
        at_stage = _ino(dir_fd, step.stage)
        done = at_stage != staged if step.after else at_stage is not None
        if not done:
            return
        if not step.after:
            ground.disk.move(dir_fd, step.stage, name)
        elif ours(dir_fd, name, step.after):
            _take_back(ground, dir_fd, name, step)
            if not ours(dir_fd, step.stage, step.after):
                _put(ground, dir_fd, name, step)
                raise ground.blocked(step, Clash.NOT_UNDONE)
        else:
            _withdraw(ground, dir_fd, name, step)
            raise ground.blocked(step, Clash.NOT_UNDONE)


def _put(ground: Ground, dir_fd: int, name: str, step: Step) -> None:
    """Let what is staged and what stands at the target change places; either may be nothing."""
    if not step.before:
        ground.disk.move(dir_fd, step.stage, name)
    elif not step.after:
        ground.disk.move(dir_fd, name, step.stage)
    elif not ground.disk.swap(dir_fd, step.stage, name):
        ground.disk.move(dir_fd, name, aside_of(step))
        ground.disk.move(dir_fd, step.stage, name)
        ground.disk.move(dir_fd, aside_of(step), step.stage)


def _take_back(ground: Ground, dir_fd: int, name: str, step: Step) -> None:
    """Undo `_put`: the same with the directions reversed."""
    if not step.before:
        ground.disk.move(dir_fd, name, step.stage)
    elif not step.after:
        ground.disk.move(dir_fd, step.stage, name)
    else:
        _put(ground, dir_fd, name, step)


def _finish_swap(ground: Ground, dir_fd: int, name: str, step: Step) -> None:
    """Bring a swap in several steps that was interrupted to one of its two ends.

    What was put aside goes back to the free one of the two names: to the target before the new one came there,
    to the stage name afterwards.
    """
    aside = aside_of(step)
    if look(dir_fd, aside) is None:
        return
    free = step.stage if _ino(dir_fd, step.stage) is None else name
    ground.disk.move(dir_fd, aside, free)


def _withdraw(ground: Ground, dir_fd: int, name: str, step: Step) -> None:
    """Remove from a new tree what still carries our content, and leave what somebody added or changed."""
    for node in reversed(step.after):
        if not node.path:
            continue
        try:
            with parent_of(dir_fd, f"{name}/{node.path}") as (parent_fd, entry):
                _withdraw_node(ground, parent_fd, entry, step, node)
        except OSError as error:
            if not is_gone(error) and error.errno != errno.ENOTEMPTY:
                raise
    if step.after[0].kind is Kind.DIRECTORY and not step.before:
        with suppress(OSError):  # it holds what somebody else made
            ground.disk.remove_directory(dir_fd, name)


def _withdraw_node(ground: Ground, parent_fd: int, entry: str, step: Step, node: Node) -> None:
    """Remove one path of a new tree: put aside first and then looked at, so that no change slips in between."""
    if node.kind is Kind.DIRECTORY:
        ground.disk.remove_directory(parent_fd, entry)
        return
    if look(parent_fd, step.stage) is None and is_node(parent_fd, entry, node):
        ground.disk.move(parent_fd, entry, step.stage)
    if is_node(parent_fd, step.stage, node):
        ground.disk.unlink(parent_fd, step.stage)
    elif look(parent_fd, step.stage) is not None:
        ground.disk.move(parent_fd, step.stage, entry)


def aside_of(step: Step) -> str:
    """Return the name under which the old waits while a swap is made in several steps."""
    return step.stage + _ASIDE


def _ino(dir_fd: int, name: str) -> int | None:
    found = look(dir_fd, name)
    return None if found is None else found.st_ino
