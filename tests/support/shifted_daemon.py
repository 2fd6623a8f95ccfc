"""The real daemon on a machine whose clock is wrong, or that slept: `DISPATCH_TEST_CLOCK` names a file of milliseconds.

The number in it is added to the machine's clock, and read anew at every look, so a test moves the clock while the
daemon runs. What slept has lost no time on the clock that stands still, so a shift forward is a long sleep too.
"""

import os
import sys
from pathlib import Path

from dispatch_daemon import __main__ as program
from dispatch_daemon.adapters.relay import link
from dispatch_daemon.app import clock, scheduler

_honest = clock.wall_ms


def shifted_ms() -> int:
    """Return the machine's clock as this daemon is made to see it."""
    shift = Path(os.environ["DISPATCH_TEST_CLOCK"])
    return _honest() + (int(shift.read_text() or 0) if shift.exists() else 0)


def move_clocks() -> None:
    """Let this daemon see the time so."""
    clock.wall_ms = shifted_ms
    assert link._now_ms
    link._now_ms = shifted_ms
    assert scheduler._LONGEST_WAIT_S
    scheduler._LONGEST_WAIT_S = 0.25  # a clock that jumps wakes nobody


if __name__ == "__main__":
    move_clocks()
    sys.exit(program.main())
