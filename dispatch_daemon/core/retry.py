"""When to try again: exponential with full jitter, the jitter given by the caller."""

_FIRST_MS = 250
_LONGEST_MS = 60_000


def next_attempt_ms(now_ms: int, attempts: int, jitter: int) -> int:
    """Return the time of the next attempt after `attempts` failed ones.

    `jitter` is a random number 0..65535; full jitter keeps a thousand daemons from returning together.
    """
    ceiling = min(_LONGEST_MS, _FIRST_MS << min(attempts, 16))
    return now_ms + _FIRST_MS + ceiling * jitter // 65_536
