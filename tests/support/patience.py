"""Waiting for what must become true: tests poll for a condition and never sleep for a guess."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")

_POLL_S = 0.002


async def eventually(condition: Callable[[], object]) -> None:
    """Return once the condition holds; the test's own time limit ends a wait that never will."""
    while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of us
        await asyncio.sleep(_POLL_S)


async def eventually_so(condition: Callable[[], Awaitable[object]], pause_s: float = 0.01) -> None:
    """Return once a condition that has to be asked for holds; the test's own time limit ends a wait that never will."""
    while not await condition():  # noqa: ASYNC110 - what is waited for knows nothing of us
        await asyncio.sleep(pause_s)


def poll(condition: Callable[[], _T | None], what: str, *, limit_s: float = 60.0) -> _T:
    """Return the first thing that a condition finds; fails with `what` if it finds none in time.

    For conditions that cost a process each; `DISPATCH_TEST_TIME_SCALE` stretches the limit.
    """
    deadline = time.monotonic() + limit_s * float(os.environ.get("DISPATCH_TEST_TIME_SCALE", "1"))
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(_POLL_S)
    return found
