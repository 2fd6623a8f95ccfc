"""Carrying a changeset out: all of it or nothing, whatever happens in the middle.

Everything new is prepared beside its target and made durable. Then the intent is recorded: from that moment on
a crash is rolled forward. Each step is one rename with its precondition checked around it; the first that does
not hold turns the apply round, and what was done is undone wherever it still carries our content. What a human
did meanwhile is never overwritten and never lost. What was replaced is kept in the journal for an undo.

All or nothing holds across crashes and across all grants of the run. It does not hide the steps from programs
that read the directories while the renames go on.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.ground import BlockedError, Ground, opened_ground
from sandbox.changes.applying.journal import Journal
from sandbox.changes.applying.originals import keep
from sandbox.changes.applying.plan import Step, make_plan
from sandbox.changes.applying.removal import remove_tree
from sandbox.changes.applying.staging import abandon, stage
from sandbox.changes.applying.steps import aside_of, do, undo
from sandbox.changes.applying.trees import ours
from sandbox.changes.beneath import open_root
from sandbox.changes.change import Changeset
from sandbox.changes.discard import discard
from sandbox.changes.outcome import ApplyOutcome, ApplyStatus, Clash, Conflict
from sandbox.changes.sources import Sources, opened
from sandbox.errors import ChangesetError
from sandbox.job import Layer

__all__ = ["ApplyOutcome", "ApplyStatus", "Clash", "Conflict", "apply", "discard", "recover"]


def apply(
    changes: Changeset, layers: Sequence[Layer], journal_dir: Path, *, disk: Disk | None = None
) -> ApplyOutcome:
    """Carry out a changeset and say how it ended.

    Args:
        changes: The changeset that was approved.
        layers: The frozen layers it was collected from.
        journal_dir: This apply's own directory, made if it is missing; its parent exists. Afterwards it holds
            the plan, the outcome and the originals of everything replaced.
        disk: For tests: the disk to act on.

    Raises:
        PathRefusedError: when a grant is no longer the directory that was granted; nothing was touched.
        ChangesetError: `changeset_changed` when the layers do not hold what was approved, `layer_unreadable`,
            `apply_begun` when the journal directory was used before: nothing was touched by this call.
            `apply_interrupted` when the disk failed in the middle: call `recover`.
    """
    if changes.drift:
        return drifted(changes)
    with opened(layers) as sources:
        return apply_from(changes, sources, journal_dir, disk=disk)


def drifted(changes: Changeset) -> ApplyOutcome:
    """Return how an apply ends that is not begun, because somebody else changed what it would change."""
    return ApplyOutcome(ApplyStatus.NOT_APPLIED, tuple(Conflict(path, Clash.DRIFT) for path in changes.drift))


def apply_from(
    changes: Changeset, sources: Sources, journal_dir: Path, *, disk: Disk | None = None
) -> ApplyOutcome:
    """Carry out a changeset that has not drifted from sources that are open; see `apply`."""
    with _opened_journal(journal_dir, disk or Disk()) as (journal, writer):
        if journal.plan() is not None:
            raise ChangesetError("apply_begun", f"an apply was begun in {journal_dir}", "Recover it instead.")
        plan = make_plan(changes, sources, _token(changes, journal_dir))
        journal.begin(plan)
        with opened_ground(plan, writer) as ground:
            try:
                staged = stage(ground, sources)
            except BlockedError as error:
                return _give_up(ground, journal, (error.conflict,))
            except ChangesetError:
                _give_up(ground, journal, ())
                raise
            journal.intend(staged)
            return _carry_out(ground, journal, staged)


def recover(journal_dir: Path, *, disk: Disk | None = None) -> ApplyOutcome | None:
    """Finish an apply that was interrupted and say how it ended; None when none was begun there.

    Forward if everything had been staged, else as if nothing had been. Calling it again, or after an apply
    that ended by itself, changes nothing and returns the same outcome.

    Raises:
        ChangesetError: `grant_unreachable` or `apply_interrupted` when it cannot be finished now;
            `journal_damaged` when the journal cannot be read.
    """
    if not journal_dir.is_dir():
        return None
    with _opened_journal(journal_dir, disk or Disk()) as (journal, writer):
        plan = journal.plan()
        outcome = journal.outcome()
        if plan is None or outcome is not None:
            return outcome
        with opened_ground(plan, writer) as ground:
            staged = journal.staged()
            return _give_up(ground, journal, ()) if staged is None else _carry_out(ground, journal, staged)


def _token(changes: Changeset, journal_dir: Path) -> str:
    """Return what makes the names beside the targets this apply's own: no clock and no chance is needed."""
    return sha256(f"{changes.digest} {journal_dir.resolve()}".encode("utf-8", "surrogateescape")).hexdigest()[
        :12
    ]


@contextmanager
def _opened_journal(journal_dir: Path, disk: Disk) -> Iterator[tuple[Journal, Disk]]:
    """Yield the journal of a directory, made if it is missing; what the disk refuses is told as our error."""
    try:
        parent_fd = open_root(os.path.realpath(journal_dir.parent))
        try:
            if not journal_dir.is_dir():
                disk.make_directory(parent_fd, journal_dir.name)
                os.fsync(parent_fd)
            dir_fd = os.open(journal_dir.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent_fd)
        finally:
            os.close(parent_fd)
        try:
            yield Journal(dir_fd, disk), disk
        finally:
            os.close(dir_fd)
    except OSError as error:
        raise ChangesetError(
            "apply_interrupted",
            f"the disk refused in the middle of an apply: {error}",
            "Make room or repair the disk, then start the daemon again: the apply is finished then.",
        ) from error


def _give_up(ground: Ground, journal: Journal, conflicts: tuple[Conflict, ...]) -> ApplyOutcome:
    """Remove what was staged; nothing of the owner's was touched."""
    abandon(ground)
    _unlock_again(ground)
    outcome = ApplyOutcome(ApplyStatus.NOT_APPLIED, conflicts)
    journal.close(outcome)
    return outcome


def _carry_out(ground: Ground, journal: Journal, staged: Sequence[int | None]) -> ApplyOutcome:
    """Do what is not done yet; at the first obstacle, undo what is."""
    if journal.committed():
        return _finish(ground, journal, ApplyOutcome(ApplyStatus.APPLIED))
    conflicts = journal.reverted()
    if conflicts is None:
        reasons = journal.reverting() or _go_forward(ground, journal, staged)
        if not reasons:
            return _finish(ground, journal, ApplyOutcome(ApplyStatus.APPLIED))
        conflicts = _revert(ground, journal, staged, reasons)
    return _finish(ground, journal, ApplyOutcome(ApplyStatus.CONFLICT, conflicts))


def _go_forward(ground: Ground, journal: Journal, staged: Sequence[int | None]) -> tuple[Conflict, ...]:
    """Do every step; return what was in the way, nothing when all is done and committed."""
    try:
        for step, ino in zip(ground.plan.steps, staged, strict=True):
            do(ground, step, ino)
        for chmod in ground.plan.chmods:
            ground.change_mode(chmod, chmod.old_mode, chmod.new_mode)
    except BlockedError as error:
        journal.revert((error.conflict,))
        return (error.conflict,)
    ground.sync(_parents(ground))
    journal.commit()
    return ()


def _revert(
    ground: Ground, journal: Journal, staged: Sequence[int | None], reasons: tuple[Conflict, ...]
) -> tuple[Conflict, ...]:
    """Undo everything that was done, the last first, except where somebody changed it since."""
    conflicts = list(reasons)
    for chmod in reversed(ground.plan.chmods):
        try:
            ground.change_mode(chmod, chmod.new_mode, chmod.old_mode)
        except BlockedError as error:
            conflicts.append(error.conflict)
    for step, ino in reversed(list(zip(ground.plan.steps, staged, strict=True))):
        try:
            undo(ground, step, ino)
        except BlockedError as error:
            conflicts.append(error.conflict)
    ground.sync(_parents(ground))
    unique = tuple(dict.fromkeys(conflicts))
    journal.finish_reverting(unique)
    return unique


def _finish(ground: Ground, journal: Journal, outcome: ApplyOutcome) -> ApplyOutcome:
    """Clear away what stands beside the targets: originals to the journal, what was not used to nowhere."""
    applied = outcome.status is ApplyStatus.APPLIED
    originals_fd = journal.open_originals()
    try:
        for number, step in enumerate(ground.plan.steps):
            with ground.reached(step.root, step.path) as place:
                if place is not None:
                    _clear(ground, place[0], step, originals_fd, number, applied=applied)
        if applied:
            for lock in ground.plan.locks:
                with suppress(BlockedError):  # somebody gave it another mode meanwhile: theirs stays
                    ground.change_mode(lock, lock.old_mode, lock.new_mode)
        else:
            _unlock_again(ground)
        ground.sync(_parents(ground))
        os.fsync(originals_fd)
    finally:
        os.close(originals_fd)
    journal.close(outcome)
    return outcome


def _clear(ground: Ground, dir_fd: int, step: Step, originals_fd: int, number: int, *, applied: bool) -> None:
    """Clear away what one step left beside its target. Only what is certainly ours is removed, else it is kept."""
    if not applied and ours(dir_fd, step.stage, step.after):
        remove_tree(dir_fd, step.stage, ground.disk)
    keep(ground.disk, dir_fd, step.stage, originals_fd, str(number))
    keep(ground.disk, dir_fd, aside_of(step), originals_fd, f"{number}-aside")


def _unlock_again(ground: Ground) -> None:
    """Give the directories that were unlocked their modes back."""
    for unlock in reversed(ground.plan.unlocks):
        with suppress(BlockedError):  # somebody gave it another mode meanwhile: theirs stays
            ground.change_mode(unlock, unlock.new_mode, unlock.old_mode)


def _parents(ground: Ground) -> list[tuple[int, str]]:
    """Return the directories in which steps act."""
    return sorted({(step.root, step.path.rpartition("/")[0] or ".") for step in ground.plan.steps})
