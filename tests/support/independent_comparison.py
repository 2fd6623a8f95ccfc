"""Commitments and words of a comparison, independently: written from the page alone."""

from typing import Any

from tests.support.independent_bytes import derive


def commitment(side: dict[str, Any]) -> str:
    """Return what one side commits to, in hex."""
    random, genesis = bytes.fromhex(side["random"]), bytes.fromhex(side["genesis"])
    return derive(random, genesis, b"dispatch/v1/compare/commit").hex()


def words(sides: list[dict[str, Any]], listed: list[str]) -> list[str]:
    """Return the seven words of two sides, by the list of all words."""
    one, two = sorted(sides, key=lambda side: bytes.fromhex(side["genesis"]))
    drawn = derive(
        bytes.fromhex(one["random"] + two["random"]),
        bytes.fromhex(one["comparison"] + two["comparison"]),
        b"dispatch/v1/compare/words",
    )
    return [listed[byte] for byte in drawn[:7]]  # a shorter output of HKDF is the beginning of a longer one
