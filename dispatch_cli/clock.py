"""The command line's one look at the clock and its one draw of chance, so that the rest stays testable."""

import os
import time


def now_ms() -> int:
    """Return the present in ms since 1970."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - the one place


def fresh_key() -> str:
    """Return a new idempotency key of 128 random bits."""
    return os.urandom(16).hex()  # noqa: TID251 - the one place
