"""Comparisons: commitments, and the seven words of two sides, the whole list of words beside them."""

from dispatch_protocol.compare import Side, commitment, words
from dispatch_protocol.comparison_words import WORDS
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Digest, Genesis
from tests.support.vectors.fixed import fixed

_LOW, _HIGH = Genesis(bytes(31) + b"\x01"), Genesis(b"\xff" * 32)
_PAIRS = {
    "the smaller genesis began": (_LOW, _HIGH),
    "the larger genesis began": (_HIGH, _LOW),
    "two that differ in the last byte": (Genesis(b"\x80" * 32), Genesis(b"\x80" * 31 + b"\x81")),
}


def comparison_vectors() -> dict[str, JSON]:
    """Return both sides of some comparisons with what each commits to and what both see."""
    return {
        "about": "Two sides that compare. The same words with the sides exchanged. `list` is every word, by its byte.",
        "list": list(WORDS),
        "cases": [_case(name, *pair) for name, pair in _PAIRS.items()],
    }


def _case(name: str, one: Genesis, other: Genesis) -> dict[str, JSON]:
    sides = [
        Side(genesis, Digest(fixed(f"{name} D {at}")), fixed(f"{name} random {at}"))
        for at, genesis in enumerate((one, other))
    ]
    return {
        "name": name,
        "sides": [
            {
                "genesis": side.genesis.hex,
                "comparison": side.comparison.hex,
                "random": side.random.hex(),
                "commitment": commitment(side.genesis, side.random).hex(),
            }
            for side in sides
        ],
        "words": list(words(*sides)),
    }
