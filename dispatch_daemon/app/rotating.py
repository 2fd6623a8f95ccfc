"""Replaces this device's sealing key every thirty days, and destroys the one before it eight days later.

What the relay has is looked at first, and the link kept here before it is told: a relay that takes it, breaks off and denies it
is told the same one again, so that no device ever states two at one head. Of two devices that state one at the same head, the
relay takes one, and the other's goes behind it. A key lies in the keystore before it is stated, so a life that ends in between
leaves nothing that cannot be opened; and the task stays owed, so the next life goes on.
"""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.journal import Journal, Task
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import retry, rotating
from dispatch_daemon.core.effects import Plan, TaskKind, Unplan
from dispatch_daemon.core.rotating import Step
from dispatch_daemon.ports import Relay
from dispatch_protocol.chain import read_links, write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.keys import SealingKey
from dispatch_protocol.links import RotateSealingLink, sign_link
from dispatch_protocol.signing import Document

_LOOK_MS = 3_600_000
log = logging.getLogger("dispatch.household")


class Rotating:
    """Settles the `rotate` task; `relay` returns the present link, or None before a login."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        own_chain: OwnChain,
        keystore: Keystore,
        relay: Callable[[], Relay | None],
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._own_chain = own_chain
        self._keystore = keystore
        self._relay = relay

    def plan(self, at_ms: int = 0) -> Plan:
        """Return the plan to look at the keys at a time; every start of the daemon looks at once."""
        return Plan(kind=TaskKind.ROTATE, key="sealing", not_before_ms=at_ms, payload={})

    async def rotate(self, task: Task) -> None:
        """Do everything about the keys that can be done now, and plan when to look again."""
        try:
            while (next_ := self._next()) is not None and next_.step is not Step.WAIT:
                await self._do(next_.step)
        except RelayUnreachableError:
            self._journal.tasks.retry(task, self._clock.now_ms() + _LOOK_MS)  # and whenever a session opens
        except (RelayRejectedError, HomeError) as error:
            log.warning("the sealing key of this device could not be replaced yet: %s", error)
            jitter = int.from_bytes(self._clock.random(2))
            self._journal.tasks.retry(
                task, retry.next_attempt_ms(self._clock.now_ms(), task.attempts, jitter)
            )
        else:
            owed = Unplan(task.kind, task.key) if next_ is None else self.plan(next_.until_ms)
            await self._performer.perform([owed])

    def _next(self) -> rotating.Next | None:
        own, held = self._people.own, [key.public for key in self._people.keys.sealing]
        if own.device not in own.chain.devices:
            return None  # it is about to erase its keys
        return rotating.next_step(own.chain, own.device, held, self._clock.now_ms())

    async def _do(self, step: Step) -> None:
        match step:
            case Step.MAKE:
                self._online()  # whoever cannot tell it needs no new key
                self._keep((SealingKey(secrets.token_bytes(32)), *self._people.keys.sealing[:1]))
            case Step.STATE:
                async with self._own_chain.changing:
                    await self._state()
            case _:
                self._keep(self._people.keys.sealing[:1])
                log.info("the sealing key before the present one is destroyed")

    def _keep(self, sealing: Sequence[SealingKey]) -> None:
        """Keep exactly these keys, in the keystore first."""
        held = self._keystore.load()
        if held is None:
            raise HomeError("keys_missing", "this home has no keys")
        keys = replace(held, sealing=tuple(sealing))
        self._keystore.store(keys)
        self._people.rekeyed(keys)

    async def _state(self) -> None:
        """Tell the relay the link that states the new key, behind whatever the other devices have told it meanwhile."""
        relay = self._online()
        answer = await relay.call("chain", {"genesis": self._people.own.genesis})
        await self._own_chain.take(_links(answer))
        next_ = self._next()
        if next_ is None or next_.step is not Step.STATE:
            return
        own, keys, moment = self._people.own, self._people.keys, self._clock.moment()
        link = RotateSealingLink(
            prev=own.chain.head,
            device=own.device,
            sealing=keys.sealing[0].public,
            created_ms=moment.now_ms,
            nonce=moment.nonce(),
        )
        grown = own.chain.extend([sign_link(link, (keys.signing,))])
        await self._own_chain.grow(grown)
        try:
            await self._tell(relay)
        except RelayRejectedError:  # another device's link was there in the meantime
            await self._own_chain.take(_links(await relay.call("chain", {"genesis": own.genesis})))
            await self._tell(relay)
        log.info("this device has a new sealing key")

    async def _tell(self, relay: Relay) -> None:
        """Tell the relay the chain at once; it is owed to it besides, for as long as it has not said that it has it."""
        links = self._people.own.chain.links
        await relay.call("links", {"links": write_links(links)})
        await self._own_chain.take(links)

    def _online(self) -> Relay:
        relay = self._relay()
        if relay is None:
            raise RelayUnreachableError("this device is not signed in")
        return relay


def _links(answer: Mapping[str, JSON]) -> Sequence[Document]:
    links = answer.get("links")
    try:
        return read_links(links if isinstance(links, list) else [])
    except DispatchError as error:
        log.warning("the relay told a chain that cannot be read: %s", error)
        return ()
