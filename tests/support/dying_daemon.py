"""A daemon that dies, as by a power cut, exactly where a test says, or whose disk refuses exactly there.

`DISPATCH_TEST_DIES_AT` names the place: `accepted` (the yes is in the journal), `started` (the box stands, the journal
does not say so yet), `told` (it does), `applying` (before the apply's first rename), `renaming` (after one of its
renames), `applied` (all of them are done, the result is not told), `ended` (the result is told, its copy not removed),
`resumed` (a parked run is taken up, and its box not opened), `restarted` (it is open, and the journal does not say so yet),
`undoing` (an undo is agreed to, and not begun), `undone` (it is done, and the journal does not say so yet).
`DISPATCH_TEST_HOLDS` names a file, and an apply stands still after its first rename for as long as that is there.
`DISPATCH_TEST_DISK_FULL` instead makes every rename of an apply after the first one fail, and
`DISPATCH_TEST_JOURNAL_FULL` so many writes to the journal after an apply is done.
"""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from dispatch_daemon import __main__ as program
from dispatch_daemon.adapters.executor import executor, undoing
from dispatch_daemon.adapters.journal import Database, JournalError
from dispatch_daemon.app import run_book, running
from dispatch_daemon.app.services import continuing, dispatches
from dispatch_daemon.core import parking, runs
from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.journal import Journal

PLACE = os.environ.get("DISPATCH_TEST_DIES_AT", "")


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: Any, name: str) -> None:
    """Die when this coroutine has done its work."""
    honest = getattr(owner, name)

    async def fatal(*args: Any, **how: Any) -> Any:
        value = await honest(*args, **how)
        die()
        return value

    setattr(owner, name, fatal)


def before(owner: Any, name: str, act: Callable[[], None] = die) -> None:
    """Do this before a function does anything."""
    honest = getattr(owner, name)

    def fatal(*args: Any, **how: Any) -> Any:
        act()
        return honest(*args, **how)

    setattr(owner, name, fatal)


def renaming(act: Callable[[int], None]) -> None:
    """Count the renames of applies after all has been staged, and act before each."""
    done = -1

    def begin() -> None:
        nonlocal done
        done = 0

    def count() -> None:
        nonlocal done
        if done >= 0:
            act(done)
            done += 1

    before(Journal, "intend", begin)

    for name in ("move", "swap", "move_to"):
        before(Disk, name, count)


def second(count: int) -> None:
    """Die before the second rename."""
    if count == 1:
        die()


def full(count: int) -> None:
    """Refuse every rename but the first."""
    if count:
        raise OSError(errno.ENOSPC, "No space left on device")


def held(count: int) -> None:
    """Stand still before the second rename until the file that says so is gone."""
    if count == 1:
        place = os.environ["DISPATCH_TEST_HOLDS"]
        with open(f"{place}.reached", "w"):
            pass
        while os.path.exists(place):
            time.sleep(0.01)


def unwritable_after_apply(writes: int) -> None:
    """Refuse the journal's next writes after an apply, as a disk that is full for a while does."""
    applied, write = executor.Executor.apply, Database.write
    due = 0

    async def apply(*args: Any, **how: Any) -> Any:
        nonlocal due
        outcome = await applied(*args, **how)
        due = writes
        return outcome

    def refuse(*args: Any, **how: Any) -> int:
        nonlocal due
        if due:
            due -= 1
            raise JournalError("disk_full", "the journal could not be written: database or disk is full")
        return write(*args, **how)

    executor.Executor.apply = apply  # type: ignore[method-assign]  # planted
    Database.write = refuse  # type: ignore[method-assign]  # planted


# Whose coroutine has done its work at a place, and which function has done nothing yet.
_AFTER = {
    "accepted": (dispatches.Dispatches, "accept"),
    "told": (running.Conductor, "started"),
    "applied": (executor.Executor, "apply"),
    "resumed": (continuing.Continuing, "resume"),
    "ended": (run_book.RunBook, "end"),
    "undone": (undoing.Originals, "undo"),
}
_BEFORE = {
    "started": (runs, "started"),
    "applying": (executor, "apply"),
    "restarted": (parking, "restarted"),
    "undoing": (undoing.Originals, "_undo"),
}


def main() -> None:
    """Plant the death and run the daemon."""
    if PLACE in _AFTER:
        after(*_AFTER[PLACE])
    elif PLACE in _BEFORE:
        before(*_BEFORE[PLACE])
    elif PLACE == "renaming":
        renaming(second)
    if os.environ.get("DISPATCH_TEST_DISK_FULL"):
        renaming(full)
    if os.environ.get("DISPATCH_TEST_HOLDS"):
        renaming(held)
    if writes := os.environ.get("DISPATCH_TEST_JOURNAL_FULL"):
        unwritable_after_apply(int(writes))
    sys.exit(program.main())


if __name__ == "__main__":
    main()
