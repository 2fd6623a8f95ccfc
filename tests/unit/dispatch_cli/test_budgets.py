"""A budget as it is typed, and nothing that only looks like one."""

import click
import pytest

from dispatch_cli.budgets import budget_choice


@pytest.mark.parametrize(
    ("typed", "turns", "tokens", "microusd"),
    [
        ("turns=20", 20, None, None),
        ("turns=20,tokens=100000,usd=0.50", 20, 100_000, 500_000),
        (" usd=$1 , turns=3", 3, None, 1_000_000),
        ("usd=0.000001", None, None, 1),
        ("none", None, None, None),
        ("", None, None, None),
    ],
)
def test_bounds_are_read(typed: str, turns: int | None, tokens: int | None, microusd: int | None) -> None:
    assert budget_choice(typed) == {"turns": turns, "tokens": tokens, "cost_microusd": microusd}


def test_what_was_not_typed_is_not_mentioned() -> None:
    assert budget_choice(None) is None


@pytest.mark.parametrize(
    "typed",
    ["20", "turns", "turns=0", "turns=-1", "usd=0", "usd=1.0000001", "usd=1e3", "eur=1", "turns=1,turns=2"],
)
def test_what_is_no_budget_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        budget_choice(typed)
