"""A burst, and then one in each interval."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch_daemon.core.pace import Pace


def test_a_burst_comes_back_one_interval_at_a_time() -> None:
    pace = Pace(burst=3, interval_ms=100)
    assert (pace.may(1_000), pace.rest_ms(1_000)) == (True, 0)
    for left in (True, True, False):
        pace.spend(1_000)
        assert pace.may(1_000) is left
    assert pace.rest_ms(1_000) == 300
    assert (pace.may(1_099), pace.may(1_100)) == (False, True)
    assert pace.rest_ms(1_299) == 1
    assert pace.rest_ms(5_000) == 0


def test_a_clock_that_is_put_back_makes_nobody_wait() -> None:
    pace = Pace(burst=2, interval_ms=100)
    for _ in range(5):
        pace.spend(1_000_000)
    assert (pace.may(1_000_000), pace.rest_ms(1_000_000)) == (False, 300), (
        "no longer than a burst and one more"
    )
    assert (pace.may(5_000), pace.rest_ms(5_000)) == (True, 0)
    pace.spend(5_000)
    assert pace.rest_ms(5_000) == 100


@given(st.lists(st.integers(0, 400), max_size=200), st.integers(1, 5), st.integers(1, 500))
def test_no_more_is_done_in_any_span_than_the_burst_and_one_for_each_interval(
    pauses: list[int], burst: int, interval_ms: int
) -> None:
    pace, now_ms, done = Pace(burst, interval_ms), 0, []
    for pause in pauses:
        now_ms += pause
        if pace.may(now_ms):
            pace.spend(now_ms)
            done.append(now_ms)
    for first, begun in enumerate(done):
        for last in range(first, len(done)):
            assert last - first + 1 <= burst + (done[last] - begun) // interval_ms
