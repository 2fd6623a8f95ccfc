"""Counting: spreads, and how long something has waited."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch_broker.core.counts import Backlog, Counts, Spread


class TestSpread:
    def test_a_value_on_a_bound_is_not_above_it(self):
        spread = Spread((1.0, 2.0))
        for value in (0.5, 1.0, 1.5, 2.0, 9.0):
            spread.add(value)
        assert spread.steps() == [(1.0, 2), (2.0, 4), (float("inf"), 5)]
        assert spread.total == 14.0

    @given(st.lists(st.integers(0, 100)))
    def test_every_step_counts_what_is_not_above_it(self, values):
        spread = Spread((10.0, 20.0, 50.0))
        for value in values:
            spread.add(value)
        assert spread.steps() == [
            (bound, sum(value <= bound for value in values)) for bound in (10.0, 20.0, 50.0, float("inf"))
        ]


def test_two_brokers_count_apart():
    one, other = Counts(), Counts()
    one.deposits["ok"] += 1
    one.commit_s.add(0.5)
    assert not other.deposits
    assert other.commit_s.steps()[-1][1] == 0


def backlog(oldest_ms):
    return Backlog(mailboxes=1, rows=1, size_bytes=1, deepest_rows=1, oldest_ms=oldest_ms)


def test_age():
    assert backlog(None).age_ms(500) == 0
    assert backlog(200).age_ms(500) == 300
    assert backlog(800).age_ms(500) == 0
