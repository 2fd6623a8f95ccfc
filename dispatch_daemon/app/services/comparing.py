"""Comparing at the door: a human begins, sees seven words, and says whether the other one reads the same."""

from collections.abc import Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.comparing import between_us
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import comparing
from dispatch_daemon.core.comparing import ComparisonState
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.trust_records import ContactRecord
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.compare import WORDS_SHOWN
from dispatch_protocol.comparison_words import WORDS
from dispatch_protocol.timestamps import time_or_none


class Comparing:
    """Comparisons of this home."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer

    async def verify_contact(
        self, *, peer: str, words: Sequence[str] | None, different: bool, again: bool
    ) -> JsonObject:
        """Begin to compare or look how far it is; with what the other one reads, say whether it is the same."""
        edge, contact = self._people.known(peer)
        if contact.conflict is not None:
            raise ServiceError(
                "chain_forked", f"two histories of {contact.address} were told; only a recovery ends that"
            )
        if words is not None or different:
            await self._judge(contact, words, different=different)
            return self._view(contact.genesis)
        record = self._journal.comparison(contact.genesis)
        between = between_us(self._people, contact, edge.edge)
        await self._performer.perform(comparing.asked(record, between, self._clock.moment(), anew=again))
        return self._view(contact.genesis)

    async def _judge(self, contact: ContactRecord, words: Sequence[str] | None, *, different: bool) -> None:
        record = self._journal.comparison(contact.genesis)
        own = self._people.own.chain.genesis
        read = [word.strip().casefold() for word in words or ()]
        if not different:
            _require_words(read, contact.address)
        same = not different and tuple(read) == comparing.shared_words(record, own)
        effects = comparing.judged(
            record, contact, self._epoch(contact.genesis), self._clock.now_ms(), same=same
        )
        await self._performer.perform(effects)
        if not same:
            raise ServiceError(
                "words_differ",
                f"the words of {contact.address} are not those of this machine: either one was misread, or"
                " somebody sits between you. Let them be read again, slowly; if they differ still, begin anew",
                hint=f"dispatch contacts verify {contact.address} --words WORDS, or --again",
            )

    def _view(self, genesis: str) -> JsonObject:
        contact, record = self._journal.contact(genesis), self._journal.comparison(genesis)
        assert contact is not None  # noqa: S101 - it was found by name
        now = comparing.state(record, self._epoch(genesis), self._clock.now_ms())
        words = comparing.shared_words(record, self._people.own.chain.genesis)
        return {
            "peer": contact.address,
            "identity": contact.genesis,
            "trust": contact.trust,
            "status": now,
            "words": None if words is None or now is ComparisonState.NONE else list(words),
            "compared_at": time_or_none(contact.compared_ms),
        }

    def _epoch(self, genesis: str) -> int:
        chain = self._people.chain_of(genesis)
        return 0 if chain is None else chain.epoch


def _require_words(read: Sequence[str], address: str) -> None:
    """Refuse what nobody can have been shown, without a judgement: it was misheard or misspelled, by whoever typed it.

    Raises:
        ServiceError: `invalid`.
    """
    strange = [word for word in read if word not in WORDS]
    if not strange and len(read) == WORDS_SHOWN:
        return
    what = (
        f"{strange[0][:40]!r} is none of the words that are shown"
        if strange
        else f"{WORDS_SHOWN} words are shown, not {len(read)}"
    )
    raise ServiceError(
        "invalid",
        f"{what}; nothing was judged. Let them be read again",
        hint=f"dispatch contacts verify {address} --words WORDS",
    )
