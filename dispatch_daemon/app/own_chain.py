"""One's own chain: how it grows from here, how it is learnt when another own device made it grow, and what then follows.

Nobody is believed: links prove themselves from one's own fingerprint up. A link that ends this very device is the word
of another device that may say so, and is obeyed: its runs are killed, what they wrote is discarded, its keys are erased.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import own_links, rotating
from dispatch_daemon.core.effects import Effect, Plan, TaskKind
from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.keys import Digest
from dispatch_protocol.links import sign_link
from dispatch_protocol.signing import Document

CHAIN = "chain"
UNTOLD = "untold_since"  # the head after which the relay has confirmed no link
FORKED = "own_chain_forked"
UNFED = "recovered_device_unfed"
log = logging.getLogger("dispatch.household")


class OwnChain:
    """The chain of this identity; `on_revoked` is awaited once this device is not in it any more.

    Whoever adds a link holds `changing` meanwhile: two links that this device states at one head would be two histories.
    """

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self.changing = asyncio.Lock()
        self.on_revoked: Callable[[], Awaitable[None]] | None = None
        self.on_settled: Callable[[], None] | None = (
            None  # a relay that refused the old telling may take this one
        )
        self.on_recovered: Callable[[], Awaitable[None]] | None = None  # a device has come that nobody let in

    async def grow(self, chain: Chain, more: Callable[[], Sequence[Effect]] = tuple) -> None:
        """Keep what this device has made of the chain and owe it to the relay, together with what `more` then returns.

        Raises:
            JournalError: it could not be kept; then nothing has changed.
        """
        before = self._people.own.chain
        if self._since() is None:
            self._journal.remember(UNTOLD, before.head.hex)
        self._journal.remember(CHAIN, write_links(chain.links))
        self._people.grown(chain)
        try:
            entered = own_links.decided(before, chain)
            await self._performer.perform([self._owed(chain), *entered, *more()])
        except BaseException:
            self._people.grown(before)
            raise
        await self.obey()

    def _since(self) -> Digest | None:
        since = self._journal.meta(UNTOLD)
        return Digest.from_hex(since) if isinstance(since, str) else None

    def _owed(self, chain: Chain) -> Plan:
        args: dict[str, JSON] = {"links": write_links(chain.links)}
        return Plan(
            kind=TaskKind.RELAY_CALL,
            key="links",
            not_before_ms=self._clock.now_ms(),
            payload={"op": "links", "args": args},
        )

    async def take(self, links: Sequence[Document]) -> bool:
        """Take in a telling of one's own chain; returns whether it has grown.

        A telling that differs in one epoch because another own device came first is taken, and what this one has stated goes
        behind it. Any other is a theft, or a device that was restored from an old copy: it is remembered for `doctor`
        and changes nothing.

        Raises:
            JournalError: it could not be kept.
        """
        held = self._people.own.chain
        try:
            told = held.update(links)
        except DispatchError as error:
            behind = self._behind(links) if error.code == "chain_forked" else None
            if behind is not None:
                log.info(
                    "another device of one's own has changed the chain first; what this one said goes behind it"
                )
                await self._moved(held, behind, self._owed(behind))
                if self.on_settled is not None:
                    self.on_settled()
                return True
            log.error("a telling of one's own chain that does not follow: %s", error)  # noqa: TRY400 - no mistake of ours
            if error.code == "chain_forked":
                self._journal.remember(FORKED, value=True)
            return False
        if links and links[-1].digest == told.head:  # they know all that is known here
            self._journal.remember(UNTOLD, None)
        if told.head == held.head:
            await self.obey()
            return False
        await self._moved(held, told)
        return True

    async def _moved(self, held: Chain, told: Chain, *owed: Effect) -> None:
        """Keep what the chain has become by others, and do what follows from it."""
        self._journal.remember(CHAIN, write_links(told.links))
        if told.epoch > held.epoch:
            self._journal.remember(FORKED, value=False)
            self._journal.remember(UNFED, value=not told.devices.keys() <= held.devices.keys())
        elif rotating.came_back(held, told):
            self._journal.remember(UNFED, value=True)
        self._journal.tasks.hasten(
            TaskKind.DEPOSIT, self._clock.now_ms()
        )  # some may have waited for a newer key
        self._people.grown(told)
        try:
            await self._performer.perform(owed)
            await self._journal.database.committed()
        except BaseException:
            self._people.grown(held)
            raise
        log.info("one's own chain has %d links now", len(told.links))
        await self.obey()
        if self.on_recovered is not None:
            await self.on_recovered()

    def _behind(self, links: Sequence[Document]) -> Chain | None:
        """Return another telling with what only this device has said behind it, or None if that cannot be."""
        own, keys = self._people.own, self._people.keys
        mine = own_links.untold(own.chain, links, own.device, self._since())
        if mine is None:
            return None
        try:
            chain = Chain.verify(links, expect=own.chain.genesis)
            for link in mine:
                if link.device in chain.devices:  # else another device has ended it already
                    moved = sign_link(replace(link, prev=chain.head), (keys.signing,))
                    chain = chain.extend([moved])
        except DispatchError as error:
            log.warning("what this device has said does not go behind the other telling: %s", error)
            return None
        return chain if own.device in chain.devices else None

    async def obey(self) -> None:
        """Leave if this device is not in the chain any more; a life that learnt of it may have ended before it had left."""
        own = self._people.own
        if own.device not in own.chain.devices and self.on_revoked is not None:
            await self.on_revoked()
