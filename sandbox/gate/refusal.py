"""What the gate says no with, and the strict reading that every request inside has to pass.

A request is never passed on: it is read, and a new one is written from the parts that are known. What is not known is left
out; what would make a vendor act, fetch or read elsewhere is refused by name, so that its author learns why.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

TEXT_CHARS = 8_000_000
ITEMS = 20_000
NAME_CHARS = 256


class GateRefusalError(Exception):
    """A request from inside that does not leave the wall; `code` is a stable word, `status` its HTTP answer."""

    def __init__(self, code: str, detail: str, status: int = 403) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status


def refuse(detail: str) -> NoReturn:
    """Refuse what would leave the wall in another way than by the model's words."""
    raise GateRefusalError("gate_forbidden", detail)


def malformed(detail: str) -> NoReturn:
    """Refuse what is no request of this protocol."""
    raise GateRefusalError("gate_malformed", detail, 400)


def read(body: bytes) -> Mapping[str, Any]:
    """Read a body as one JSON object, strictly: no doubled key, no NaN, no depth that ends this program."""
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_distinct, parse_constant=lambda _: malformed("NaN")
        )
    except (ValueError, RecursionError):
        malformed("the body is no JSON")
    if not isinstance(value, dict):
        malformed("the body is no JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        malformed("the body has a key twice")
    return value


def text(value: object, what: str, most: int = TEXT_CHARS) -> str:
    """Read a text."""
    if not isinstance(value, str) or len(value) > most:
        malformed(f"{what} is no text, or too long")
    return value


def name(value: object, what: str) -> str:
    """Read a short text."""
    return text(value, what, NAME_CHARS)


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """Read an object."""
    if not isinstance(value, dict):
        malformed(f"{what} is no object")
    return value


def items(value: object, what: str) -> list[Any]:
    """Read a list of bounded length."""
    if not isinstance(value, list) or len(value) > ITEMS:
        malformed(f"{what} is no list, or too long")
    return value


def number(value: object, what: str) -> int | float:
    """Read a number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        malformed(f"{what} is no number")
    return value


def flag(value: object, what: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        malformed(f"{what} is neither true nor false")
    return value


def kept(
    given: Mapping[str, Any], readers: Mapping[str, Callable[[object, str], object]]
) -> dict[str, object]:
    """Return the known fields that are there, each read; null counts as absent."""
    return {key: reader(given[key], key) for key, reader in readers.items() if given.get(key) is not None}


def forbid(given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuse fields that would make the vendor act elsewhere; an empty one asks for nothing."""
    for each in names:
        if given.get(each):
            refuse(f"the field {each} makes the vendor act outside of the wall")
