"""Panic: a person stops everything of theirs at once, and asks questions afterwards.

What runs is killed and what it wrote is thrown away, open pages and the session with the relay end, and nothing is begun,
taken in or sent from here until the same person says so on this machine. One's other devices are told, and do the same: a
person who panics cannot be expected to know which of them it concerns. It is kept in the journal together with what they are
owed, so a restart ends nothing; and the session outlives the panic only until they are told. What ends trust leaves in a panic
too: for it a session opens, and ends again; and while there is none, this device looks whether another one has ended it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.linking import Linking
from dispatch_daemon.app.pausing import ends_trust, keep_panic, panic_ms
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import decisions
from dispatch_daemon.core.by_hand import is_by_hand
from dispatch_daemon.core.effects import Effect, Enter, TaskKind
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.messages.household import PanicEntry
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Signed
from dispatch_protocol.timestamps import time_or_none

CODE: Final = "panicked"
_SAID_S = 3.0  # how long a person waits to hear that their other devices are told
_HEARD = "panics_heard"  # by device, when it last called one
_WORDS = "panic was called: nothing is sent, taken in or begun here until `dispatch panic --off`"
# What only ends or narrows something may be done in a panic too.
ALLOWED: Final = frozenset(
    {
        *("panic_machine", "stop", "close_pages", "export_trust"),
        *("revoke", "revoke_device", "remove_rule", "decline_invitation"),
    }
)
# The keys of calls that tell the relay whose trust has ended, or what nobody is to accept any more.
_ENDINGS = ("links", "revoke_edge/", "revoke_invitation/")
_LOOK_S = 10.0  # between looks at one's own chain, while there is no session that would tell of it
log = logging.getLogger("dispatch.panic")


class Panic:
    """The panic of this person; `drain` gives what is owed to others a moment to leave, `end_pages` closes the pages."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        household: Household,
        linking: Linking,
        *,
        drain: Callable[[], Awaitable[None]],
        end_pages: Callable[[], object],
        look: Callable[[str], Awaitable[object]],
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._household = household
        self._linking = linking
        self._drain = drain
        self._end_pages = end_pages
        self._look = look
        self._told = asyncio.Event()
        self._stopping: asyncio.Task[int] | None = None
        self._silencing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        household.on_panic = self.heard

    @property
    def since_ms(self) -> int | None:
        """Since when everything is stopped here, or None."""
        return panic_ms(self._journal)

    def require_calm(self, operation: str) -> None:
        """Refuse what the door was asked unless it only ends or narrows something; raises ServiceError `panicked`."""
        if self.since_ms is not None and operation not in ALLOWED:
            raise ServiceError(CODE, "panic was called, so nothing is done here but what ends something")

    async def panic_machine(self, *, off: bool) -> JsonObject:
        """Stop everything here and tell one's other devices, or come back: that each device does for itself."""
        if off:
            await self._calm()
            return _answer(None)
        try:
            if self.since_ms is None:
                now_ms = self._clock.now_ms()
                keep_panic(self._journal, now_ms)
                # In the commit that remembers it: a machine that dies here has told the others, or has not panicked.
                own = self._people.own.device
                called = PanicEntry(device=own, called_ms=now_ms)
                await self._household.tell(called, decided=[Enter("panic", own.hex)])
        finally:  # whatever keeps it from being told, what runs is killed
            ended = await self._stop()
        await asyncio.wait({self._fall_silent()}, timeout=_SAID_S)
        others = len(self._people.own.chain.devices) - 1
        return _answer(self.since_ms, ended, 0 if self._owes_others() else others, others)

    async def _stop(self) -> int:
        """Kill what runs, once it is kept that there is a panic; returns how many runs that were."""
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
        """Do the same as one's other device, once for each panic that it calls; not within the delivery that tells it.

        One that is called in times to come is taken for one of now, or it would hide those that are called after it.
        """
        held = self._journal.meta(_HEARD)
        heard = held if isinstance(held, dict) else {}
        last = heard.get(entry.device.hex)
        if isinstance(last, int) and entry.called_ms <= last:
            return
        called_ms = min(entry.called_ms, self._clock.now_ms())
        self._journal.remember(_HEARD, {**heard, entry.device.hex: called_ms})
        if self.since_ms is None:
            keep_panic(self._journal, self._clock.now_ms())
            self._follow()

    def _follow(self) -> None:
        """Do what there is to do in a panic that the journal holds, in the background."""
        self._stopping = asyncio.get_running_loop().create_task(self._stop(), name="panic")
        self._stopping.add_done_callback(self._stopped)

    def _stopped(self, stopping: "asyncio.Task[int]") -> None:
        if stopping.cancelled():
            return
        failed = stopping.exception()
        if failed is not None:
            log.error("panic: what runs could not be ended yet: %s", failed)
        self._silencing = self._fall_silent()

    def _fall_silent(self) -> "asyncio.Task[None]":
        if self._silencing is None or self._silencing.done():
            self._silencing = asyncio.get_running_loop().create_task(self._silence(), name="silence")
        return self._silencing

    async def _silence(self) -> None:
        """Hang up, once whom it concerns is told: without a session they are told when there is one."""
        while self._owes():
            self._told.clear()
            await self._told.wait()
        await self._drain()
        if self.since_ms is not None:
            await self._linking.hang_up(_WORDS, CODE)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.get_running_loop().create_task(self._keep_looking(), name="looking")

    async def _keep_looking(self) -> None:
        """Look from time to time whether another device has ended this one: no session tells of it in a panic."""
        while self.since_ms is not None:
            link = self._linking.link
            if link is not None and not self._linking.is_kept_up:
                await self._look(link.url)
            await asyncio.sleep(_LOOK_S)

    async def let_out(self) -> None:
        """Let what was just ended be told in a panic too: open a session for it, and hang up behind it."""
        for _ in range(2):  # a session that was just ending takes nothing with it
            link = self._linking.link
            if self.since_ms is None or link is None or not self._owes():
                return
            if not self._linking.is_kept_up:
                self._linking.resume(link.url)
            done, _ = await asyncio.wait({self._fall_silent()}, timeout=_SAID_S)
            if not done:
                return  # it is told as soon as there is a session

    def _owes(self) -> bool:
        """Say whether anybody is still to be told of the panic, or of trust that has ended."""
        if self._owes_others():
            return True
        calls = self._journal.tasks.keys(TaskKind.RELAY_CALL)
        grants = self._journal.outbox.of_type(payload_type(Kind.GRANT))
        return any(key.startswith(_ENDINGS) for key in calls) or any(
            ends_trust(Signed.decode(signed)) for signed in grants
        )

    def _owes_others(self) -> bool:
        return self._journal.outbox.holds_over(EdgeId.SELF.hex, payload_type(Kind.LOG))

    def answered(self) -> None:
        """Look whether everybody is told by now: the relay was asked something."""
        self._told.set()

    def resume(self, url: str | None) -> None:
        """Keep up the session of an earlier life; in a panic, go on with what that life has not finished."""
        if self.since_ms is None or self._owes():
            if url is not None:
                self._linking.resume(url)
        elif url is not None:
            self._linking.refuse(url, _WORDS, CODE)
        if self.since_ms is not None:
            self._follow()

    async def _calm(self) -> None:
        keep_panic(self._journal, None)
        await self._performer.perform([Enter("panic_over", self._people.own.device.hex)])
        await self.stop()
        account = self._people.account
        if account is not None:
            await self._linking.stop()
            self._linking.resume(account["broker"])

    async def stop(self) -> None:
        """Let go of what is being done; the next life goes on with it."""
        for task in (self._stopping, self._silencing, self._looking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def _answer(since_ms: int | None, ended: int = 0, told: int = 0, others: int = 0) -> JsonObject:
    """Return what was done, for the door; `untold` devices hear of it as soon as there is a session."""
    return {
        "panic_at": time_or_none(since_ms),
        "runs_ended": ended,
        "told": told,
        "untold": others - told,
    }
