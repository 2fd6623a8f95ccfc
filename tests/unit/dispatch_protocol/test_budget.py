import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.budget import Budget, lower
from dispatch_protocol.errors import MalformedError
from tests.support.documents import read

bounds = st.none() | st.integers(min_value=0, max_value=9)
budgets = st.builds(Budget, bounds, bounds, bounds)


@given(budgets)
def test_reading_is_the_inverse_of_writing(budget):
    assert read(Budget.read, budget.write()) == budget


@pytest.mark.parametrize(
    "value",
    [
        {"tokens": 1, "turns": 1},
        {"tokens": -1, "turns": None, "cost_microusd": None},
        {"tokens": None, "turns": None, "cost_microusd": None, "more": 1},
    ],
)
def test_strictly(value):
    with pytest.raises(MalformedError):
        read(Budget.read, value)


@given(budgets, budgets, budgets)
def test_the_lower_bound_stands(one, two, three):
    assert one.meet(one) == one
    assert one.meet(two) == two.meet(one)
    assert one.meet(two.meet(three)) == one.meet(two).meet(three)


@pytest.mark.parametrize("left, right, expected", [(None, None, None), (1, None, 1), (None, 1, 1), (2, 1, 1)])
def test_none_is_unlimited(left, right, expected):
    assert lower(left, right) == expected
