from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.timestamps import format_time, parse_time, time_or_none

LAST_MS = 253_402_300_799_999
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "time_ms, text",
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_001, "2000-02-29T00:00:00.001Z"),
        (1_767_323_045_678, "2026-01-02T03:04:05.678Z"),
        (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (LAST_MS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_known_times(time_ms, text):
    assert format_time(time_ms) == text
    assert parse_time(text) == time_ms


@given(st.integers(min_value=0, max_value=LAST_MS))
def test_it_agrees_with_the_standard_library(time_ms):
    text = (EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert format_time(time_ms) == text
    assert parse_time(text) == time_ms


def test_times_beyond_the_calendar_are_its_ends():
    assert format_time(2**53) == "9999-12-31T23:59:59.999Z"
    assert format_time(-1) == "1970-01-01T00:00:00.000Z"


def test_the_decimals_may_be_left_out():
    assert parse_time("2026-01-02T03:04:05Z") == 1_767_323_045_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05.678",
        "2026-01-02T03:04:05.678+00:00",
        "2026-01-02 03:04:05.678Z",
        "2026-01-02t03:04:05.678z",
        "2026-1-2T3:4:5.678Z",
        "2026-13-02T03:04:05.678Z",
        "2026-00-02T03:04:05.678Z",
        "2026-02-29T03:04:05.678Z",
        "2026-01-02T24:04:05.678Z",
        "2026-01-02T03:60:05.678Z",
        "2026-01-02T03:04:60.678Z",
        "2026-01-02T03:04:05.67Z",
        "1969-12-31T23:59:59.999Z",
        "٢٠٢٦-01-02T03:04:05.678Z",
    ],
)
def test_any_other_spelling_is_refused(text):
    with pytest.raises(ValueError, match="not a time like"):
        parse_time(text)


def test_no_time_is_said_as_none():
    assert time_or_none(None) is None
    assert time_or_none(0) is None
    assert time_or_none(1) == "1970-01-01T00:00:00.001Z"
