"""What is looked up when a session opens, or when the relay says that a chain has become another.

Contacts follow a new device, or a recovery, before they next seal something: a task that is signed for devices none of
which is left cannot be sent any more. What the relay says is a reason to ask it for the chain, and no more than that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.people import People
from dispatch_daemon.core.trust_records import Direction
from dispatch_protocol.standing import EdgeStatus


class ChainNews:
    """Asks for chains in the background, each once at a time; `also` is done whenever a session has opened."""

    def __init__(self, journal: Journal, people: People, chains: Chains) -> None:
        self._journal = journal
        self._people = people
        self._chains = chains
        self._wanted: dict[str, Callable[[], Awaitable[None]]] = {}
        self._doing: dict[str, asyncio.Task[None]] = {}
        self.also: Sequence[Callable[[], Awaitable[None]]] = ()

    def heard(self, genesis: str) -> None:
        """Ask for one's own chain, or that of a contact, which may have become another."""
        if genesis == self._people.own.genesis or self._journal.contact(genesis) is not None:
            self._begin(genesis, lambda: self._learn(genesis))

    def opened(self) -> None:
        """Ask for what may have changed while nobody listened: one's own chain, and those of whom one may send to."""
        self._begin("opened", self._look)

    def _begin(self, name: str, look: Callable[[], Awaitable[None]]) -> None:
        """Look in the background; what is heard while one looks is looked at again."""
        self._wanted[name] = look
        if name not in self._doing:
            self._doing[name] = asyncio.get_running_loop().create_task(self._all(name), name="chain-news")

    async def _all(self, name: str) -> None:
        try:
            while look := self._wanted.pop(name, None):
                await look()
        finally:
            del self._doing[name]

    async def _look(self) -> None:
        await self._learn(self._people.own.genesis)
        for also in self.also:
            await also()
        peers = {
            edge.peer for edge in self._journal.edges(Direction.OUTGOING) if edge.status is EdgeStatus.ACTIVE
        }
        for peer in sorted(peers):
            await self._learn(peer)

    async def _learn(self, genesis: str) -> None:
        await self._chains.learn(genesis, patiently=True)

    async def stop(self) -> None:
        """Let go of what is still asked."""
        doing = tuple(self._doing.values())
        for task in doing:
            task.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
