"""Learning what a chain has become: from what it carries itself, else from the relay; pinned if it follows.

Nobody is believed here. Links prove themselves from the pinned genesis up, so it does not matter who tells them; the
relay can only hide some, and then what states them is refused as before. Two histories of one identity stop the contact.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.disowned import disowned
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import pins
from dispatch_daemon.core.effects import Put, TaskKind
from dispatch_daemon.core.pace import Pace
from dispatch_daemon.ports import Relay
from dispatch_protocol.chain import read_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import DispatchError, RefusalCode, RefusedError
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.signing import Document, Signed

BURST = 4  # fruitless questions, one after the other, before a document is turned away unasked
QUIET_MS = 1_000  # and then one in this time
log = logging.getLogger("dispatch.trust")


class Chains:
    """The chains of contacts, and one's own, as they grow; `relay` returns the present link, or None before a login."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        relay: Callable[[], Relay | None],
        own: OwnChain,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._relay = relay
        self._own = own
        self._asking: dict[str, asyncio.Task[bool]] = {}
        self._fruitless: dict[str, Pace] = {}  # by identity: the questions that brought nothing

    async def learn(self, genesis: str, signed: Signed | None = None, *, patiently: bool = False) -> bool:
        """Look for links that are not pinned yet; returns whether there were any.

        `signed` is what stated a head that is not known here, if its signature holds. It may carry the links, and then
        no relay is asked: that is how a contact gets past a relay that hides them. `patiently` waits until the relay may
        be asked again, where nothing else waits for the answer.
        """
        carried = _carried(signed)
        if carried and await self.take(genesis, carried):
            return True
        asking = self._asking.get(genesis)
        if asking is None:
            # However many documents wait, the relay is asked once, and about once a second if it knows nothing. What
            # cannot wait may ask a few times more: a document turned away unasked is lost until it is sent again, and
            # what was asked a moment ago, as at the opening of a session, knows nothing of a device added since.
            pace, now_ms = self._pace(genesis), self._clock.wall_ms()  # a clock that was put back goes on
            if patiently:
                await asyncio.sleep(pace.rest_ms(now_ms) / 1000)
            elif not pace.may(now_ms):
                return False
            asking = self._asking.get(genesis)
        if asking is None:
            asking = asyncio.create_task(self._ask(genesis), name="chain")
            self._asking[genesis] = asking
            asking.add_done_callback(lambda _: self._asking.pop(genesis, None))
        return await asyncio.shield(asking)

    async def take(self, genesis: str, links: Sequence[Document]) -> bool:
        """Pin what a telling of a contact's chain adds; returns whether it did.

        A history that differs is kept as evidence of the conflict, and ends what goes on with this contact.

        Raises:
            JournalError: it could not be kept.
        """
        if genesis == self._people.own.genesis:
            return await self._own.take(links)
        contact = self._journal.contact(genesis)
        if contact is None:
            return False
        try:
            told = pins.retold(contact, links)
        except RefusedError as error:
            if error.reason is not RefusalCode.CHAIN_FORKED or contact.conflict is not None:
                log.warning("a chain of %s that is none: %s", genesis[:16], error)
                return False
            told = pins.conflicting(contact, links)
        except DispatchError as error:
            log.warning("a chain of %s that cannot be read: %s", genesis[:16], error)
            return False
        if told == contact:
            return False
        self._journal.tasks.hasten(
            TaskKind.DEPOSIT, self._clock.now_ms()
        )  # some may have waited for a newer key
        ended = disowned(self._journal, self._people.own, [Put(told)], self._clock.moment())
        await self._performer.perform([Put(told), *ended])
        self._people.forget_cached(genesis)
        if told.conflict is not None and contact.conflict is None:  # said once it is kept
            log.error("two histories of %s were told; the second one is kept as evidence", genesis[:16])
        return told.conflict is None

    async def _ask(self, genesis: str) -> bool:
        grown = await self.take(genesis, await self._told(genesis))
        if not grown:
            self._pace(genesis).spend(self._clock.wall_ms())
        return grown

    def _pace(self, genesis: str) -> Pace:
        return self._fruitless.setdefault(genesis, Pace(BURST, QUIET_MS))

    async def _told(self, genesis: str) -> Sequence[Document]:
        relay = self._relay()
        if relay is None:
            return ()
        try:
            answer = await relay.call("chain", {"genesis": genesis})
            links: JSON = answer.get("links")
            return read_links(links if isinstance(links, list) else [])
        except (RelayUnreachableError, RelayRejectedError, DispatchError) as error:
            log.warning("the relay told no chain of %s: %s", genesis[:16], error)
            return ()


def _carried(signed: Signed | None) -> Sequence[Document]:
    """Return the links that a document brings along: those of a receipt that calls our view of its chain stale."""
    if signed is None or kind_of(signed.payload_type) is not Kind.RECEIPT:
        return ()
    body = decode_body(Kind.RECEIPT, signed.body)
    if not isinstance(body, Receipt) or body.type is not ReceiptType.STALE_CHAIN:
        return ()
    links = body.data["links"]
    return read_links(links if isinstance(links, list) else [])
