"""The chain of answers of one device to one dispatch: nothing in it can be dropped, reordered or replaced unseen.

The relay may deliver late and in any order. What comes too early is held; what comes twice changes nothing; two
different answers in one place are evidence against the device that signed them, and neither is taken back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.keys import Digest

HELD: Final = 256  # answers that may wait for one that is missing


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an answer says it stands: its count from 1, its digest, and the digest of the answer before (or zeros)."""

    seq: int
    digest: Digest
    prev: Digest


@dataclass(frozen=True, slots=True)
class AnswerChain:
    """What has come of one device's answers to one dispatch: the digests in order, and those that came too early."""

    digests: tuple[Digest, ...] = ()
    held: tuple[Place, ...] = ()

    @property
    def seq(self) -> int:
        """The count of the last answer in order; 0 before the first."""
        return len(self.digests)

    @property
    def head(self) -> Digest:
        """The digest of the last answer in order; zeros before the first. The next one's `prev`."""
        return self.digests[-1] if self.digests else Digest.ZERO

    @property
    def missing(self) -> int | None:
        """The count of the answer that the held ones wait for, or None if there is no gap."""
        return self.seq + 1 if self.held else None


@dataclass(frozen=True, slots=True)
class Followed:
    """What an offered answer did.

    `taken` are the answers whose turn has come, in order; `forked` are those that contradict what stands: evidence to
    keep, and nothing to act on. An answer that is in neither was held, or known already.
    """

    chain: AnswerChain
    taken: tuple[Place, ...] = ()
    forked: tuple[Place, ...] = ()


def follow(chain: AnswerChain, place: Place) -> Followed:
    """Offer one answer to its chain.

    Raises:
        RefusedError: `sequence_gap`, too many answers are held already while one is missing.
    """
    if place.seq <= chain.seq:
        known = chain.digests[place.seq - 1] == place.digest
        return Followed(chain) if known else Followed(chain, forked=(place,))
    if any(other.seq == place.seq and other != place for other in chain.held):
        return Followed(chain, forked=(place,))
    held = {*chain.held, place}
    if len(held) > HELD:
        raise RefusedError(
            RefusalCode.SEQUENCE_GAP, f"answer {place.seq} came while {chain.seq + 1} is missing"
        )
    return _drain(chain.digests, sorted(held))


def follow_all(places: Iterable[Place]) -> Followed:
    """Offer answers in whatever order they are given, and return what all of them did; raises like `follow`."""
    chain = AnswerChain()
    taken: list[Place] = []
    forked: list[Place] = []
    for place in sorted(places):
        followed = follow(chain, place)
        chain = followed.chain
        taken += followed.taken
        forked += followed.forked
    return Followed(chain, tuple(taken), tuple(forked))


def _drain(digests: tuple[Digest, ...], held: list[Place]) -> Followed:
    """Take from the held answers, in order, those whose turn has come."""
    taken: list[Place] = []
    forked: list[Place] = []
    head = digests[-1] if digests else Digest.ZERO
    while held and held[0].seq == len(digests) + len(taken) + 1:
        place = held.pop(0)
        if place.prev != head:
            forked.append(place)
            break
        taken.append(place)
        head = place.digest
    chain = AnswerChain((*digests, *(place.digest for place in taken)), tuple(held))
    return Followed(chain, tuple(taken), tuple(forked))
