"""Moments as people say them."""

import time

import pytest

from dispatch_cli.render import times

NOW = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_moment_is_read_or_is_none() -> None:
    assert times.parse_ms("2026-01-02T03:04:05.678Z") == NOW
    assert times.parse_ms("") is None
    assert times.parse_ms("yesterday") is None


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (-5, "now"),
        (59_000, "now"),
        (2 * MINUTE, "2 min"),
        (5 * HOUR, "5 h"),
        (DAY, "1 Jan 03:04"),
        (3 * DAY, "30 Dec 2025"),
    ],
)
def test_how_long_ago(passed: int, said: str) -> None:
    assert times.ago(NOW - passed, NOW) == said


def test_today_needs_no_date() -> None:
    assert times.moment(NOW + HOUR, NOW) == "04:04"


@pytest.mark.parametrize(
    ("took", "said"),
    [(-1, "0.0 s"), (430, "0.4 s"), (48_000, "48 s"), (185_000, "3 min 5 s"), (7_800_000, "2 h 10 min")],
)
def test_how_long_it_took(took: int, said: str) -> None:
    assert times.duration(took) == said


@pytest.mark.parametrize(
    ("left", "said"),
    [(-1, "0 s"), (1, "1 s"), (109_000, "109 s"), (HOUR, "until 04:04"), (7 * DAY, "7 days")],
)
def test_how_long_is_left(left: int, said: str) -> None:
    assert times.seconds_left(NOW + left, NOW) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (3_482, "3.4 KiB"),
        (12 << 20, "12 MiB"),
        (5 << 30, "5.0 GiB"),
        (5 << 40, "5.0 TiB"),
    ],
)
def test_how_much(number: int, said: str) -> None:
    assert times.size(number) == said
