"""Waiting for what must become true, because what is waited for happens at a device and tells nobody."""

import asyncio
from collections.abc import Callable

_POLL_S = 0.002


async def eventually(condition: Callable[[], object]) -> None:
    """Return once the condition holds; the caller bounds the time."""
    while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of us
        await asyncio.sleep(_POLL_S)
