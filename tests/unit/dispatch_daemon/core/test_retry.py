"""Retries grow, are bounded, and are spread out."""

from dispatch_daemon.core.retry import next_attempt_ms


def test_pause_grows_with_the_attempts_and_is_bounded() -> None:
    latest = [next_attempt_ms(0, attempts, 65_535) for attempts in range(40)]
    assert latest == sorted(latest)
    assert latest[0] < 600
    assert latest[-1] <= 60_250


def test_jitter_spreads_attempts_from_a_quarter_second_on() -> None:
    assert next_attempt_ms(1_000, 5, 0) == 1_250
    assert next_attempt_ms(1_000, 5, 32_768) == 1_250 + 4_000
