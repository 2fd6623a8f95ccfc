"""Panic: a person stops everything of theirs at once, and asks questions afterwards.

What runs is killed and what it wrote is thrown away, open pages and the session with the relay end, and nothing is begun,
taken in or sent from here until the same person says so on this machine. One's other devices are told, and do the same: a
person who panics cannot be expected to know which of them it concerns. It is kept in the journal, so a restart ends nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.linking import Linking
from dispatch_daemon.app.pausing import keep_paused, paused_ms
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import decisions
from dispatch_daemon.core.by_hand import is_by_hand
from dispatch_daemon.core.effects import Effect
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.messages.household import PanicEntry
from dispatch_protocol.timestamps import time_or_none

CODE: Final = "panicked"
PANIC: Final = "panic_ms"
_HEARD = "panics_heard"  # by device, when it last called one
_WORDS = "panic was called: nothing is sent, taken in or begun here until `dispatch panic --off`"
# What only ends or narrows something may be done in a panic too.
_ALLOWED = frozenset({"panic_machine", "stop", "revoke", "revoke_device", "remove_rule", "end_pages"})
log = logging.getLogger("dispatch.panic")


class Panic:
    """The panic of this person; `said` gives what is owed to others a moment to leave, `end_pages` closes the pages."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        household: Household,
        linking: Linking,
        *,
        said: Callable[[], Awaitable[None]],
        end_pages: Callable[[], object],
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._household = household
        self._linking = linking
        self._said = said
        self._end_pages = end_pages
        self._hearing: asyncio.Task[None] | None = None
        household.on_panic = self.heard

    @property
    def since_ms(self) -> int | None:
        """Since when everything is stopped here, or None."""
        since = self._journal.meta(PANIC)
        return since if isinstance(since, int) else None

    def require_calm(self, operation: str) -> None:
        """Refuse what the door was asked unless it only ends or narrows something; raises ServiceError `panicked`."""
        if self.since_ms is not None and operation not in _ALLOWED:
            raise ServiceError(CODE, "panic was called, so nothing is done here but what ends something")

    async def panic_machine(self, *, off: bool) -> JsonObject:
        """Stop everything here and tell one's other devices, or come back: that each device does for itself."""
        ended = 0
        if off:
            await self._calm()
        elif self.since_ms is None:
            now_ms = self._clock.now_ms()
            ended = await self._stop(now_ms)
            await self._household.tell(PanicEntry(device=self._people.own.device, called_ms=now_ms))
            await self._said()
            await self._hang_up()
        others = len(self._people.own.chain.devices) - 1
        return {"panic_at": time_or_none(self.since_ms), "runs_ended": ended, "told": 0 if off else others}

    async def _stop(self, since_ms: int) -> int:
        """Remember it before anything else, then kill what runs; returns how many runs that were."""
        self._journal.remember(PANIC, since_ms)
        keep_paused(self._journal, paused_ms(self._journal) or since_ms)
        await self._journal.database.committed()
        self._end_pages()
        endings = self._endings()
        await self._performer.perform([effect for each in endings for effect in each])
        log.warning("panic: %d runs were ended; nothing is done here until it is taken back", len(endings))
        return len(endings)

    def _endings(self) -> list[list[Effect]]:
        own = self._people.own
        found: list[list[Effect]] = []
        for run in self._journal.runs_unfinished():
            record = self._journal.dispatch(run.digest)
            if record is None or record.box is Box.SENT or run.device != own.device.hex or is_by_hand(run):
                continue
            effects = decisions.cancel_received(
                record,
                run,
                self._journal.approvals_of(record.digest),
                own,
                self._people.peer_of(record),
                self._clock.moment(),
                by="recipient",
                code=CODE,
            )
            found.append(effects)
        return found

    def heard(self, entry: PanicEntry) -> None:
        """Do the same as one's other device, once for each panic that it calls; not within the delivery that tells it."""
        held = self._journal.meta(_HEARD)
        heard = held if isinstance(held, dict) else {}
        last = heard.get(entry.device.hex)
        if isinstance(last, int) and entry.called_ms <= last:
            return
        self._journal.remember(_HEARD, {**heard, entry.device.hex: entry.called_ms})
        if self.since_ms is None and self._hearing is None:
            self._hearing = asyncio.get_running_loop().create_task(self._follow(), name="panic")

    async def _follow(self) -> None:
        await self._stop(self._clock.now_ms())
        await self._said()
        await self._hang_up()
        self._hearing = None

    async def _hang_up(self) -> None:
        await self._linking.hang_up(_WORDS, CODE)

    def resume(self, url: str) -> None:
        """Keep up the session of an earlier life, unless it ended in a panic that nobody has taken back."""
        if self.since_ms is None:
            self._linking.resume(url)
        else:
            self._linking.refuse(url, _WORDS, CODE)

    async def _calm(self) -> None:
        self._journal.remember(PANIC, None)
        keep_paused(self._journal, None)
        await self._journal.database.committed()
        account = self._people.account
        if account is not None:
            await self._linking.stop()
            self._linking.resume(account["broker"])

    async def stop(self) -> None:
        """Let go of what was heard and is being followed."""
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
