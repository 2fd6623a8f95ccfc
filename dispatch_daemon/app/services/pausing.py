"""Pausing, at the door: nothing new starts on this machine until its person says so."""

from collections.abc import Callable

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.pausing import keep_paused, paused_ms
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core.effects import Enter, TaskKind
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.timestamps import time_or_none


class Pausing:
    """Pauses this machine and takes it up again; `wake` lets the scheduler look at what is owed, `tell` whoever watches."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        wake: Callable[[], None],
        tell: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._wake = wake
        self._tell = tell

    async def pause_machine(self, *, off: bool) -> JsonObject:
        """Let nothing new start here, or let it again: then what was accepted meanwhile starts."""
        now_ms = self._clock.now_ms()
        since_ms = None if off else paused_ms(self._journal) or now_ms
        keep_paused(self._journal, since_ms)
        if off:
            self._journal.tasks.hasten(TaskKind.RUN, now_ms)
        await self._performer.perform([Enter("resumed" if off else "paused", self._people.own.device.hex)])
        self._tell()
        if off:
            self._wake()
        return {"paused_at": time_or_none(since_ms), "running": self._going_on()}

    def _going_on(self) -> int:
        """Count the runs that go on here."""
        own = self._people.own.device.hex
        return sum(
            run.device == own and run.state is not RunState.QUEUED and run.parked_ms is None
            for run in self._journal.runs_unfinished()
        )
