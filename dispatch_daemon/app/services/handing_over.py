"""Handing a dispatch over to another device of the same person, at the door of the one that is to run it."""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.devices import Devices
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.sharing import shared
from dispatch_daemon.core import decisions, handover
from dispatch_daemon.core.devices import find
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.expiry import is_expired
from dispatch_daemon.ports import JsonObject


class HandingOver:
    """Gives up what this device is to run."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        dispatches: Dispatches,
        devices: Devices,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._dispatches = dispatches
        self._devices = devices

    async def hand_over(self, *, dispatch_id: str, device: str) -> JsonObject:
        """Give an undecided dispatch to another device: in one step it is told, and this one may not run it any more."""
        record = self._dispatches.find(dispatch_id)
        own, names = self._people.own, self._devices.names()
        known = shared(self._journal, own, record.digest)
        decisions.require_undecided(record, known)
        taker = find(own.chain, names, device)
        now_ms = self._clock.now_ms()
        if is_expired(record, now_ms):
            raise ServiceError("expired", "this dispatch expired before it was decided")
        await self._performer.perform(handover.hand(record, known, own, taker, now_ms))
        return {
            **self._dispatches.acted(record.digest, None),
            "device": taker.hex,
            "name": known.called(taker.hex),
        }
