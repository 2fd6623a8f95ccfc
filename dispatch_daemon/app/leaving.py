"""Leaving the household: what this device does once another one of its identity has ended it.

A relay's word is not enough for that, or it could make anybody erase their keys: what it says only makes this device
ask for the chain, and the chain proves itself. Then runs are killed and what they wrote is discarded, the keys are
erased, and the daemon ends; its home says from then on why it does not start.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.adapters.relay.meeting import Meeting
from dispatch_daemon.app.clock import wall_ms
from dispatch_daemon.app.identity import erase
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.supervising import Supervisor
from dispatch_protocol.errors import DispatchError

log = logging.getLogger("dispatch.household")


class Leaving:
    """Leaves when one's own chain says so; `stop` ends the daemon."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        keystore: Keystore,
        supervisor: Supervisor,
        own_chain: OwnChain,
        *,
        ca_bundle: str | None,
        stop: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._people = people
        self._keystore = keystore
        self._supervisor = supervisor
        self._own_chain = own_chain
        self._ca_bundle = ca_bundle
        self._stop = stop
        self._doing: set[asyncio.Task[object]] = set()
        own_chain.on_revoked = self.leave

    def doubt(self, url: str) -> None:
        """Look, without a session, whether this device was really revoked, as the relay says."""
        self._begin(self._look(url), "revoked")

    def _begin(self, doing: "Coroutine[object, object, object]", name: str) -> None:
        task = asyncio.get_running_loop().create_task(doing, name=name)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _look(self, url: str) -> None:
        failed = await self.look(url)
        if failed is not None:
            log.warning("the relay says that this device was revoked, and does not show by whom: %s", failed)

    async def look(self, url: str) -> Exception | None:
        """Take in what the relay shows anybody of one's own chain, and leave if it says so; returns why it showed nothing."""
        try:
            links = await Meeting(url, ca_bundle=self._ca_bundle).chain(self._people.own.genesis)
        except (RelayUnreachableError, RelayRejectedError, DispatchError) as error:
            return error
        await self._own_chain.take(links)
        return None

    async def leave(self) -> None:
        """Kill what runs here, discard what it wrote, erase the keys, and end."""
        log.error("this device was revoked by another one of its identity: it erases its keys and stops")
        own = self._people.own.device.hex
        for run in self._journal.runs_unfinished():
            if run.device == own:
                await self._supervisor.stop_run(run.run_id, "device_revoked")
        erase(self._journal, self._keystore, wall_ms())
        self._stop()

    async def settled(self) -> None:
        """Wait until nothing is asked any more."""
        await asyncio.gather(*self._doing, return_exceptions=True)

    async def stop(self) -> None:
        """Let go of what is still asked."""
        for task in tuple(self._doing):
            task.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)
