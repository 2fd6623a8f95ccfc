"""Comparisons on their way in: a contact's wish to compare, and what it was bound to, kept for the human of this home."""

import logging

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import comparing
from dispatch_daemon.core.composing import Peer
from dispatch_daemon.core.trust_records import ContactRecord
from dispatch_protocol.messages.comparing import Comparison, Reveal
from dispatch_protocol.unseal import Opened

log = logging.getLogger("dispatch.trust")


class Comparing:
    """Takes in what contacts send to compare; with somebody of two histories nothing is compared."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer

    async def deliver(self, opened: Opened, message: Comparison | Reveal) -> None:
        """Keep what was opened, and reveal our bytes once both sides are bound.

        Raises:
            RefusedError: `comparison_mismatch`.
        """
        genesis = opened.peer.genesis.hex
        contact, record = self._journal.contact(genesis), self._journal.comparison(genesis)
        if contact is None or contact.conflict is not None:
            log.warning("nothing is compared with %s", genesis[:16])
            return
        if isinstance(message, Reveal):
            effects = comparing.revealed(record, message)
        else:
            between = between_us(self._people, contact, opened.header.edge.hex)
            moment = self._clock.moment()
            effects = comparing.arrived(record, message, opened.signed.digest, between, moment)
        await self._performer.perform(effects)


def between_us(people: People, contact: ContactRecord, edge: str) -> comparing.Between:
    """Return the two who compare over an edge."""
    chain = people.chain_of(contact.genesis)
    assert chain is not None  # noqa: S101 - a contact is pinned
    return comparing.Between(
        own=people.own,
        peer=Peer(chain.genesis, chain.head),
        address=contact.address,
        epoch=chain.epoch,
        edge=edge,
    )
