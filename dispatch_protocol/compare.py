"""Comparing: the commitment of one side, and the seven words that both sides see if nobody sits between them.

The words come from both comparisons, word for word as signed (their digests bind both geneses, heads, addresses, the
edge and who said which), and from the random bytes of both sides. Somebody who sits between two people takes part in
two comparisons, and is bound to its bytes in each before it learns the other's: so the words of the two agree by
chance alone, once in 2^56. Source: the short authentication strings of ZRTP (RFC 6189, section 4.4.1.1).
"""

import hmac
from dataclasses import dataclass
from typing import Final

from dispatch_protocol.comparison_words import WORDS
from dispatch_protocol.hkdf import derive
from dispatch_protocol.keys import Digest, Genesis

WORDS_SHOWN: Final = 7
_COMMIT: Final = b"dispatch/v1/compare/commit"
_WORDS: Final = b"dispatch/v1/compare/words"


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two has put in: who it is, the digest of its comparison, and the bytes that it revealed."""

    genesis: Genesis
    comparison: Digest
    random: bytes


def commitment(genesis: Genesis, random: bytes) -> bytes:
    """Return what binds an identity to its random bytes and tells nothing of them; nobody can take another's for its own."""
    return derive(random, salt=genesis.raw, info=_COMMIT)


def keeps(genesis: Genesis, committed: bytes, random: bytes) -> bool:
    """Say whether these are the bytes that an identity has committed to."""
    return hmac.compare_digest(committed, commitment(genesis, random))


def words(one: Side, other: Side) -> tuple[str, ...]:
    """Return the seven words of a comparison; which side is named first does not matter."""
    first, second = sorted((one, other), key=lambda side: side.genesis.raw)
    salt = first.comparison.raw + second.comparison.raw
    drawn = derive(first.random + second.random, salt=salt, info=_WORDS, length=WORDS_SHOWN)
    return tuple(WORDS[byte] for byte in drawn)
