"""Taking an applied changeset back: what it replaced returns, through the very same apply.

An undo is a changeset like any other: shown, named by its digest, checked path by path, all or nothing, finished
after a crash. What it is made of are the originals that the apply kept. A path that somebody changed since is drift,
and with drift nothing is undone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.changes.apply import apply_from, drifted
from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.ground import opened_ground
from sandbox.changes.applying.inverse import inverse
from sandbox.changes.applying.journal import Journal
from sandbox.changes.applying.removal import remove_tree
from sandbox.changes.beneath import open_root
from sandbox.changes.change import Changeset
from sandbox.changes.diff import FileDiff, unified_from
from sandbox.changes.outcome import ApplyOutcome, ApplyStatus
from sandbox.changes.sources import Sources
from sandbox.errors import ChangesetError

_ORIGINALS = "originals"


def preview(journal_dir: Path, max_bytes: int) -> tuple[Changeset, tuple[FileDiff, ...], bool]:
    """Return what would be undone, its diffs of at most so much text, and whether anything was left out of those.

    With drift there are no diffs: nothing can be undone.

    Raises:
        ChangesetError: `not_kept`, `originals_damaged`, `grant_unreachable`, `journal_damaged` when it cannot be
            undone; `changed_meanwhile` when somebody changed a file while it was read.
    """
    with _opened(journal_dir) as (changes, sources):
        if changes.drift:
            return changes, (), False
        return changes, *unified_from(changes, sources, max_bytes)


def undo(journal_dir: Path, undo_dir: Path, digest: str, *, disk: Disk | None = None) -> ApplyOutcome:
    """Take an applied changeset back as it was shown, and say how that ended.

    Args:
        journal_dir: The journal of the apply.
        undo_dir: The journal of the undo, which is an apply: if it is interrupted, `recover` finishes it.
        digest: Names the changeset that `preview` returned and a human agreed to.
        disk: For tests: the disk to act on.

    Raises:
        ChangesetError: as `preview`; `changeset_changed` when it would undo something else than what was shown:
            nothing was touched. As `apply` for the rest.
    """
    with _opened(journal_dir) as (changes, sources):
        if changes.drift:
            return drifted(changes)
        if changes.digest != digest:
            raise ChangesetError("changeset_changed", "what would be undone is not what was shown")
        return apply_from(changes, sources, undo_dir, disk=disk)


def is_interrupted(journal_dir: Path) -> bool:
    """Return whether an apply, or an undo, was begun there and has not ended: then only `recover` finishes it.

    Raises:
        ChangesetError: `journal_damaged` when nobody can tell.
    """
    try:
        dir_fd = open_root(os.path.realpath(journal_dir))
    except OSError:
        return False
    with _closing(dir_fd):
        journal = Journal(dir_fd, Disk())
        return journal.plan() is not None and journal.outcome() is None


def kept_bytes(journal_dir: Path) -> int:
    """Return how much the originals of an apply take, as the sizes of files; 0 when there are none."""
    total = 0
    for directory, _, names in os.walk(journal_dir / _ORIGINALS):
        for name in names:
            found = os.lstat(os.path.join(directory, name))
            total += found.st_size
    return total


def forget_originals(journal_dir: Path) -> None:
    """Remove what an apply replaced; its journal stays, and says how the apply ended.

    Raises:
        ChangesetError: `discard_failed` when something could not be removed.
    """
    if not journal_dir.is_dir():
        return
    try:
        fd = open_root(os.path.realpath(journal_dir))
        with _closing(fd):
            remove_tree(fd, _ORIGINALS, Disk())
    except OSError as error:
        detail = f"the originals in {journal_dir} could not be removed: {error}"
        raise ChangesetError("discard_failed", detail) from error


@contextmanager
def _opened(journal_dir: Path) -> Iterator[tuple[Changeset, Sources]]:
    """Yield what would take an apply back, with everything open that it is applied from."""
    gone = ChangesetError("not_kept", "what these changes replaced is not kept any more")
    try:
        dir_fd = open_root(os.path.realpath(journal_dir))
    except OSError as error:
        raise gone from error
    with _closing(dir_fd):
        disk = Disk()
        journal = Journal(dir_fd, disk)
        plan, outcome = journal.plan(), journal.outcome()
        if plan is None or outcome is None or outcome.status is not ApplyStatus.APPLIED:
            raise gone
        try:
            originals_fd = journal.open_originals()
        except OSError as error:
            raise gone from error
        with _closing(originals_fd), opened_ground(plan, disk) as ground:
            yield inverse(ground, originals_fd)


@contextmanager
def _closing(fd: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(fd)
