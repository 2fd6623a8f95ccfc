"""`--budget turns=20,tokens=100000,usd=0.50`: what a run may spend at most, as people type it."""

import re

import click

from dispatch_cli.render.fields import Document

NONE = "none"
_USD = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?")
_COUNT = re.compile(r"[1-9][0-9]{0,14}")
_FIELDS = {"turns": "turns", "tokens": "tokens", "usd": "cost_microusd"}


def budget_choice(value: str | None) -> Document | None:
    """Return the bounds that were typed, as the door takes them: all three, null for no bound; None if none were.

    Raises click.BadParameter for what is no budget.
    """
    if value is None:
        return None
    found: Document = dict.fromkeys(_FIELDS.values())
    if value.strip().lower() in {"", NONE}:
        return found
    for word in value.split(","):
        name, _, amount = word.strip().partition("=")
        field = _FIELDS.get(name)
        if field is None or found[field] is not None:
            raise _bad(value)
        found[field] = _microusd(amount) if name == "usd" else _count(amount)
        if found[field] is None:
            raise _bad(value)
    return found


def _count(amount: str) -> int | None:
    return int(amount) if _COUNT.fullmatch(amount) else None


def _microusd(amount: str) -> int | None:
    match = _USD.fullmatch(amount.removeprefix("$"))
    if match is None:
        return None
    return int(match[1]) * 1_000_000 + int(f"{match[2] or '':0<6}") or None


def _bad(value: str) -> click.BadParameter:
    return click.BadParameter(
        f"{value!r} should look like turns=20,tokens=100000,usd=0.50; each may be left out.",
        param_hint="--budget",
    )
