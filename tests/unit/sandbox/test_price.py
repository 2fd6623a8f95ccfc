"""What tokens cost and how many a sum buys: never less than is paid, never more than is there."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.price import Price, dollars, turns

amounts = st.integers(min_value=0, max_value=10**12)


def test_an_amount_reads_as_money_and_hides_nothing() -> None:
    shown = [dollars(each) for each in (0, 500_000, 1_000_000, 1_234_567, 1_300, 12_000_010)]
    assert shown == ["$0.00", "$0.50", "$1.00", "$1.234567", "$0.0013", "$12.00001"]


def test_a_part_of_a_millionth_is_a_whole_one() -> None:
    assert Price(150_000, 600_000).cost(1, 0) == 1
    assert Price(3_000_000, 15_000_000).cost(1_000_000, 1_000_000) == 18_000_000


def test_an_answer_that_costs_nothing_may_be_as_long_as_it_wants() -> None:
    assert Price(1, 0).affordable(0) is None


@given(amounts, st.integers(min_value=1, max_value=10**12), st.integers(min_value=-(10**9), max_value=10**12))
def test_what_a_sum_buys_does_not_cost_more(input_price: int, output_price: int, left: int) -> None:
    price = Price(input_price, output_price)
    tokens = price.affordable(left)
    assert tokens is not None
    assert tokens >= 0
    assert price.cost(0, tokens) <= max(0, left)
    assert price.cost(0, tokens + 1) > left


def test_turns_are_counted_as_people_count() -> None:
    assert (turns(1), turns(5)) == ("its only turn", "its 5 turns")
