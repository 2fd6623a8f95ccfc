from hypothesis import given
from hypothesis import strategies as st

from dispatch_broker.core.mailbox import Load, Parcel, Window, ttl_ms
from dispatch_broker.core.quota import Usage
from tests.support.broker_facts import DAY_MS, HOUR_MS, NOW_MS, header


def test_an_envelope_outlives_its_expiry_by_a_day_so_that_lateness_can_be_answered():
    assert ttl_ms(header(expires_ms=NOW_MS + HOUR_MS), NOW_MS) == NOW_MS + HOUR_MS + DAY_MS


def test_an_envelope_that_came_too_late_is_still_kept_for_a_day():
    assert ttl_ms(header(expires_ms=1), NOW_MS) == NOW_MS + DAY_MS


def test_no_envelope_is_kept_for_longer_than_thirty_days():
    assert ttl_ms(header(expires_ms=0), NOW_MS) == NOW_MS + 30 * DAY_MS
    assert ttl_ms(header(expires_ms=NOW_MS * 2), NOW_MS) == NOW_MS + 30 * DAY_MS


def test_a_new_window_looks_first_and_sleeps_when_nothing_waits():
    window = Window(Usage(10, 1_000))
    assert window.load() == Load(0, 10, 1_000)
    window.loaded([])
    assert window.load() is None


def test_an_arrival_is_looked_for_after_what_was_served():
    window = Window(Usage(10, 1_000))
    window.loaded([Parcel(3, 100), Parcel(7, 100)])
    window.loaded([])
    window.arrived()
    assert window.load() == Load(7, 8, 800)


def test_a_full_window_waits_for_acknowledgements_however_much_arrives():
    window = Window(Usage(2, 1_000))
    window.loaded([Parcel(1, 10), Parcel(2, 10)])
    window.arrived()
    assert window.load() is None
    assert window.acknowledged([1]) == (1,)
    assert window.load() == Load(2, 1, 990)


def test_bytes_fill_a_window_as_well_as_rows():
    window = Window(Usage(10, 1_000))
    window.loaded([Parcel(1, 1_500)])
    assert window.load() is None
    window.acknowledged([1])
    assert window.load() == Load(1, 10, 1_000)


def test_one_message_never_carries_a_whole_large_window():
    assert Window(Usage(10_000, 2**30)).load() == Load(0, 64, 256 * 1024)


def test_only_what_was_sent_here_can_be_acknowledged_and_only_once():
    window = Window(Usage(10, 1_000))
    window.loaded([Parcel(1, 10), Parcel(2, 10)])
    assert window.acknowledged([9, 2, 2, 1]) == (2, 1)
    assert window.acknowledged([1, 2]) == ()


@given(st.lists(st.sampled_from(["arrive", "serve", "ack"]), max_size=60), st.integers(1, 5))
def test_everything_is_served_once_in_order_and_never_more_than_the_window(moves, rows):
    window, waiting, served, flying = Window(Usage(rows, 10_000)), 0, [], []
    for move in moves:
        if move == "arrive":
            waiting += 1
            window.arrived()
        elif move == "ack" and flying:
            assert window.acknowledged([flying.pop(0)])
        elif (load := window.load()) is not None:
            parcels = [Parcel(seq, 1) for seq in range(load.after_seq + 1, waiting + 1)][: load.rows]
            window.loaded(parcels)
            served += [parcel.seq for parcel in parcels]
            flying += [parcel.seq for parcel in parcels]
            assert len(flying) <= rows
    assert served == list(range(1, len(served) + 1))
