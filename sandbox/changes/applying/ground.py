"""The grants an apply works in, open, and what may be in the way there."""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.plan import Chmod, Plan, Step
from sandbox.changes.beneath import is_gone, open_directory, open_root, parent_of
from sandbox.changes.outcome import Clash, Conflict
from sandbox.errors import ChangesetError

_EACH = (
    64  # up to this many paths are synced one by one, so that other programs' writes need not be waited for
)


class BlockedError(Exception):
    """A path stands in the way of a step; nothing of the step has been done."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(f"{conflict.path}: {conflict.clash}")
        self.conflict = conflict


@dataclass(frozen=True, slots=True)
class Ground:
    """The grants of a plan, open in the plan's order, and the disk through which all is changed."""

    plan: Plan
    fds: tuple[int, ...]
    disk: Disk

    @contextmanager
    def at(self, step: Step | Chmod, gone: Clash = Clash.MIDWAY) -> Iterator[tuple[int, str]]:
        """Yield the directory in which a step acts, reached anew, and the name it acts on.

        Raises:
            BlockedError: with `gone` when a directory on the way is not there, has become something else, or
                a name is taken; with `UNWRITABLE` for every other way in which the system refuses.
        """
        try:
            with parent_of(self.fds[step.root], step.path) as (dir_fd, name):
                yield dir_fd, name
        except OSError as error:
            clash = gone if is_gone(error) or isinstance(error, FileExistsError) else Clash.UNWRITABLE
            raise self.blocked(step, clash) from error

    @contextmanager
    def reached(self, root: int, path: str) -> Iterator[tuple[int, str] | None]:
        """Yield the directory of a path and its name in it; None when somebody took the directory away.

        Every other refusal of the system is told as it is.
        """
        with ExitStack() as stack:
            try:
                place = stack.enter_context(parent_of(self.fds[root], path))
            except OSError as error:
                if not is_gone(error):
                    raise
                place = None
            yield place

    def blocked(self, step: Step | Chmod, clash: Clash) -> BlockedError:
        """Return the error that says why a step cannot be done."""
        return BlockedError(Conflict(self.plan.absolute(step.root, step.path), clash))

    def sync(self, paths: Collection[tuple[int, str]]) -> None:
        """Write files and directories, given as (root, relative path), to the disk.

        What somebody took away meanwhile is not there to be written; the step that needs it will say so.
        """
        if len(paths) > _EACH:
            for root in sorted({root for root, _ in paths}):
                self.disk.sync_all(self.fds[root])
            return
        for root, path in paths:
            try:
                with parent_of(self.fds[root], path) as (dir_fd, name):
                    self.disk.sync(dir_fd, name)
            except OSError as error:
                if not is_gone(error):
                    raise

    def change_mode(self, chmod: Chmod, old_mode: int, new_mode: int) -> None:
        """Change one directory's permission bits if they are still the old ones; the new ones are fine too.

        Raises:
            BlockedError: when it is another directory now, or somebody gave it another mode.
        """
        with self.at(chmod) as (dir_fd, name):
            fd = open_directory(dir_fd, name)
            try:
                found = os.fstat(fd)
                mode = found.st_mode & 0o777
                if found.st_ino != chmod.ino or mode not in {old_mode, new_mode}:
                    raise self.blocked(chmod, Clash.MIDWAY)
                if mode != new_mode:
                    self.disk.set_mode(fd, new_mode)
            finally:
                os.close(fd)


@contextmanager
def opened_ground(plan: Plan, disk: Disk) -> Iterator[Ground]:
    """Open the grants of a plan by their paths.

    Raises:
        ChangesetError: `grant_unreachable` when one is not there, or is another directory now.
    """
    with ExitStack() as stack:
        fds: list[int] = []
        for root in plan.roots:
            try:
                fd = open_root(root.path)
            except OSError as error:
                raise _unreachable(root.path) from error
            stack.callback(os.close, fd)
            if os.fstat(fd).st_ino != root.ino:
                raise _unreachable(root.path)
            fds.append(fd)
        yield Ground(plan, tuple(fds), disk)


def _unreachable(path: str) -> ChangesetError:
    return ChangesetError(
        "grant_unreachable",
        f"{path} is not the directory in which an apply was begun",
        "Bring the directory back to its place and start the daemon again: the apply is finished then.",
    )
