import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_broker.core.quota import Quotas, Rate, Throttle, Throttles, Usage, room
from dispatch_broker.core.refusal import BrokerCode
from dispatch_protocol.envelope import EnvelopeClass


def test_a_burst_up_to_the_count_passes_and_the_next_one_does_not():
    throttle = Throttle(Rate(3, 1_000))
    assert [throttle.take(5_000) for _ in range(4)] == [True, True, True, False]


def test_a_refused_event_is_not_counted():
    throttle = Throttle(Rate(2, 1_000))
    assert throttle.take(0)
    assert throttle.take(0)
    assert not any(throttle.take(100) for _ in range(50))
    assert throttle.take(500)


@given(st.lists(st.integers(0, 3_000), max_size=200).map(sorted))
def test_no_window_ever_holds_more_than_twice_the_count(times):
    throttle = Throttle(Rate(5, 1_000))
    passed = [now_ms for now_ms in times if throttle.take(now_ms)]
    for start in passed:
        assert len([now_ms for now_ms in passed if start <= now_ms < start + 1_000]) <= 10


def test_the_delay_is_nothing_below_the_rate_and_grows_with_the_debt():
    throttle = Throttle(Rate(10, 1_000))
    assert throttle.delay_ms(0, 10) == 0
    assert throttle.delay_ms(0, 10) == 1_000
    assert throttle.delay_ms(1_000, 1) == 100
    assert throttle.delay_ms(10_000, 1) == 0


def test_parties_do_not_pay_for_each_other():
    throttles = Throttles(Rate(1, 1_000), keys=10)
    assert throttles.take("alice", 0)
    assert not throttles.take("alice", 0)
    assert throttles.take("bob", 0)


def test_the_longest_unused_party_is_forgotten_first():
    throttles = Throttles(Rate(1, 1_000), keys=2)
    for party in ("alice", "bob"):
        assert throttles.take(party, 0)
    assert not throttles.take("alice", 0)
    assert throttles.take("carol", 0)
    assert not throttles.take("alice", 0)
    assert throttles.take("bob", 0)


HELD = Usage(100, 10_000)


@pytest.mark.parametrize(
    "klass,held,adding,fits",
    [
        (EnvelopeClass.TASK, Usage(79, 0), Usage(1, 0), True),
        (EnvelopeClass.TASK, Usage(80, 0), Usage(1, 0), False),
        (EnvelopeClass.ANSWER, Usage(80, 0), Usage(1, 0), True),
        (EnvelopeClass.ANSWER, Usage(100, 0), Usage(1, 0), False),
        (EnvelopeClass.TASK, Usage(0, 7_000), Usage(1, 1_000), True),
        (EnvelopeClass.TASK, Usage(0, 7_001), Usage(1, 1_000), False),
        (EnvelopeClass.FOLLOW_ON, Usage(0, 9_000), Usage(1, 1_000), True),
        (EnvelopeClass.TRUST, Usage(0, 9_001), Usage(1, 1_000), False),
        (EnvelopeClass.TASK, Usage(500, 0), Usage(0, 0), False),
    ],
)
def test_a_fifth_of_every_mailbox_is_kept_for_what_ends_tasks(klass, held, adding, fits):
    refusal = room(klass, held, HELD, adding, "the mailbox")
    assert (refusal is None) is fits
    assert refusal is None or refusal.code is BrokerCode.QUOTA


def test_one_depositor_cannot_fill_a_mailbox_alone():
    assert Quotas().deposited.rows < Quotas().waiting.rows
    assert Quotas().deposited.size_bytes < Quotas().waiting.size_bytes
