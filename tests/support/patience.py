"""Waiting for what must become true: tests poll for a condition and never sleep for a guess."""

import asyncio
from collections.abc import Callable

_POLL_S = 0.002


async def eventually(condition: Callable[[], object]) -> None:
    """Return once the condition holds; the test's own time limit ends a wait that never will."""
    while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of us
        await asyncio.sleep(_POLL_S)
