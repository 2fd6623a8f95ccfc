"""Moments and durations as people say them: relative within a day, absolute beyond.

The daemon speaks UTC (`2026-01-02T03:04:05.678Z`); a person reads local time.
"""

import time

from dispatch_protocol.timestamps import parse_time

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_ms(text: str) -> int | None:
    """Return the moment in ms since 1970, or None for what is no moment (it comes from another process)."""
    try:
        return parse_time(text)
    except ValueError:
        return None


def ago(at_ms: int, now_ms: int) -> str:
    """Return how long ago, for a column: `now`, `2 min`, `5 h`, then the day."""
    seconds = (now_ms - at_ms) // 1000
    if seconds < _MINUTE:
        return "now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h"
    return moment(at_ms, now_ms)


def moment(at_ms: int, now_ms: int) -> str:
    """Return a local clock time, with as much of the date as is needed to be clear."""
    at = time.localtime(at_ms / 1000)
    now = time.localtime(now_ms / 1000)
    clock = f"{at.tm_hour:02}:{at.tm_min:02}"
    if (at.tm_year, at.tm_yday) == (now.tm_year, now.tm_yday):
        return clock
    if at.tm_year == now.tm_year:
        return f"{at.tm_mday} {_MONTHS[at.tm_mon - 1]} {clock}"
    return f"{at.tm_mday} {_MONTHS[at.tm_mon - 1]} {at.tm_year}"


def duration(milliseconds: int) -> str:
    """Return how long something took: `0.4 s`, `48 s`, `3 min 5 s`, `2 h 10 min`."""
    seconds = max(milliseconds, 0) / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def seconds_left(deadline_ms: int, now_ms: int) -> str:
    """Return the time until a deadline, down to the second while it is near."""
    seconds = max(0, -(-(deadline_ms - now_ms) // 1000))
    if seconds < 10 * _MINUTE:
        return f"{seconds} s"
    if seconds < _DAY:
        return f"until {moment(deadline_ms, now_ms)}"
    return f"{seconds // _DAY} days"


def size(number: int) -> str:
    """Return bytes as people say them: `512 bytes`, `3.4 KiB`, `12 MiB`."""
    if number < 1024:
        return f"{number} byte{'' if number == 1 else 's'}"
    value = float(number)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{value / 1024:.1f} TiB"
