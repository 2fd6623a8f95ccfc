"""The signed half of a history: what a bundle says in signed words, read by chapters 8 and 9 of docs/PROTOCOL.md.

Signatures and chains are checked by the tests' second implementation of the formats, and nothing here comes from the
product.
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.support.history.seen import Json
from tests.support.independent_evidence import WrongError, body, digest, prove

FINAL = frozenset({"completed", "failed", "refused", "declined", "expired", "cancelled"})
_REFUSALS = frozenset({"refused", "unsupported", "stale_chain"})


@dataclass(frozen=True)
class Word:
    """One signed answer: a receipt's or a decision's type, or `result` with its outcome."""

    type: str
    digest: str
    seq: int
    run_id: str | None
    outcome: str | None


def proven(bundle: bytes) -> str | None:
    """Return the step at which a bundle proves nothing, or None if all of it holds."""
    try:
        prove(bundle)
    except (WrongError, KeyError, ValueError) as error:
        return str(error)
    return None


def words(bundle: bytes) -> list[Word]:
    """Return what the recipient has signed, in order."""
    return sorted((_word(answer) for answer in json.loads(bundle)["answers"]), key=lambda word: word.seq)


def task(bundle: bytes) -> Json:
    """Return what the author has signed."""
    return body(json.loads(bundle)["task"])


def _word(answer: Json) -> Word:
    said: dict[str, Any] = body(answer)
    kind = said.get("type") or said.get("decision") or "result"
    return Word(kind, digest(answer), said["seq"], said.get("run_id"), said.get("outcome"))


def told(said: list[Word]) -> str | None:
    """Return the status that signed words alone prove, or None while they tell of no end."""
    if sum(word.type == "accepted" for word in said) > 1:
        return "conflict"
    for word in reversed(said):
        if word.type == "result":
            return "completed" if word.outcome == "success" else "failed"
        if word.type in _REFUSALS:
            return "refused"
        if word.type in FINAL:
            return word.type
    return None
