"""Noticing that the machine slept: the clock that runs through sleep has run ahead of the one that stands still.

After sleep a connection looks alive for as long as its pings allow, while the relay has long given it up. Nothing
else on the machine tells us, so a look at two clocks every few seconds does.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

LOOK_S: Final = 5.0
SLEPT_S: Final = 2.0  # less is a slow tick


def seconds_with_sleep() -> float:
    """Return a clock that runs through sleep: boot time on Linux, else the time of day."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


async def watch_sleep(
    slept: Callable[[], None], *, clock: Callable[[], float] = seconds_with_sleep, look_s: float = LOOK_S
) -> None:
    """Call `slept` whenever the machine has slept, until cancelled."""
    ahead = clock() - time.monotonic()
    while True:
        await asyncio.sleep(look_s)
        now = clock() - time.monotonic()
        if now - ahead > SLEPT_S:
            slept()
        ahead = now
