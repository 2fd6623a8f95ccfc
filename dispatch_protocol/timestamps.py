"""Times as people and programs outside see them: `2026-01-02T03:04:05.678Z`, always UTC, always milliseconds.

Inside and on the wire a time is an integer of milliseconds since 1970. The calendar is computed here, in twenty lines,
because the command line imports this module on every start and `datetime` costs it more than the rest of its work.
"""

_DAYS_TO_1970 = 719_468  # from 0000-03-01, where the computing calendar begins its years and eras
_LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


def format_time(time_ms: int) -> str:
    """Return a time in ms since 1970 as RFC 3339 text in UTC with three decimals; a time beyond 9999 as its last ms."""
    seconds, milliseconds = divmod(min(max(time_ms, 0), _LAST_MS), 1_000)
    days, second = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{milliseconds:03}"
    return f"{year:04}-{month:02}-{day:02}T{clock}Z"


def time_or_none(time_ms: int | None) -> str | None:
    """Return a time as `format_time` does; 0 and None are no time."""
    return format_time(time_ms) if time_ms else None


def parse_time(text: str) -> int:
    """Return the ms since 1970 of a time in the spelling of `format_time`; the decimals may be left out.

    Raises:
        ValueError: any other spelling, a day that no calendar has, or a year before 1970.
    """
    head, milliseconds = (
        (text[:-5], text[-4:-1]) if len(text) == 24 and text[-5] == "." else (text[:-1], "000")
    )
    digits = head[0:4] + head[5:7] + head[8:10] + head[11:13] + head[14:16] + head[17:19] + milliseconds
    if len(head) != 19 or len(digits) != 17 or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"not a time like 2026-01-02T03:04:05.678Z: {text[:40]!r}")
    year, month, day = int(head[0:4]), int(head[5:7]), int(head[8:10])
    second = int(head[11:13]) * 3600 + int(head[14:16]) * 60 + int(head[17:19])
    time_ms = (_days(year, month, day) * 86_400 + second) * 1_000 + int(milliseconds)
    # Writing it again is the check of every separator, and of months, days, hours, minutes and seconds.
    if year < 1970 or format_time(time_ms) not in {text, f"{text[:-1]}.000Z"}:
        raise ValueError(f"not a time like 2026-01-02T03:04:05.678Z: {text[:40]!r}")
    return time_ms


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a count of days since 1970.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    """
    era, day_of_era = divmod(days + _DAYS_TO_1970, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def _days(year: int, month: int, day: int) -> int:
    """Return the count of days since 1970 of a date; the inverse of `_civil` (`days_from_civil`)."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return (
        era * 146_097
        + year_of_era * 365
        + year_of_era // 4
        - year_of_era // 100
        + day_of_year
        - _DAYS_TO_1970
    )
