"""Carrying out what was decided about the originals of applies: an undo, in this life or the next, and their end."""

import asyncio
import logging

from dispatch_daemon.adapters.executor import Originals, UndoEnd, WallError
from dispatch_daemon.adapters.journal import Journal, Task
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import undoing
from dispatch_daemon.core.effects import Effect, Note, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Door, RunRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.messages.trace import EventType

_AGAIN_MS = 10_000
log = logging.getLogger("dispatch.undo")


class Undoer:
    """Settles the tasks of undoing; whoever asked for an undo waits here for how it went."""

    def __init__(self, journal: Journal, clock: Clock, performer: Performer, originals: Originals) -> None:
        self._journal = journal
        self._clock = clock
        self._performer = performer
        self._originals = originals
        self._waiting: dict[str, asyncio.Future[ServiceError | None]] = {}

    def is_undoing(self, run_id: str) -> bool:
        """Return whether an undo of this run is owed or going on."""
        return self._journal.tasks.get(TaskKind.UNDO, run_id) is not None

    async def ask(self, run: RunRecord, digest: str, door: Door) -> None:
        """Owe an undo and wait for its end.

        Raises:
            ServiceError: it did not happen, and why.
        """
        waiting = self._waiting[run.run_id] = asyncio.get_running_loop().create_future()
        try:
            await self._performer.perform(undoing.begun(run, digest, door, self._clock.now_ms()))
            refused = await asyncio.shield(waiting)
        finally:
            self._waiting.pop(run.run_id, None)
        if refused is not None:
            raise refused

    # -- tasks of the effects table --------------------------------------------------------------------

    async def undo(self, task: Task) -> None:
        """Undo what a human agreed to; what an earlier life began of it is carried to its end."""
        run = self._journal.run(task.key)
        if run is None or run.undone_ms is not None:
            await self._performer.perform([Unplan(TaskKind.UNDO, task.key)])
            return
        try:
            end = await self._originals.undo(run.run_id, str(task.payload["digest"]))
        except WallError as error:
            await self._failed(task, run, error)
        else:
            await self._ended(run, end)

    async def _ended(self, run: RunRecord, end: UndoEnd) -> None:
        now_ms = self._clock.now_ms()
        if end.done:
            await self._tell(run, undoing.undone(run, now_ms), None)
            return
        detail = undoing.in_the_way(end.paths, midway=end.midway)
        refused = ServiceError("changed_meanwhile", f"nothing was undone: {detail}", candidates=end.paths)
        await self._tell(run, undoing.not_undone(run, detail, now_ms), refused)

    async def _failed(self, task: Task, run: RunRecord, error: WallError) -> None:
        """Say why it could not be undone; one that stands half done stays owed until it is whole."""
        now_ms = self._clock.now_ms()
        refused = ServiceError(error.code, error.detail, hint=error.remedy or None)
        if error.code == "journal_damaged" or not self._originals.is_half_done(run.run_id):
            await self._tell(run, undoing.not_undone(run, error.detail, now_ms), refused)
            return
        log.error("run %s stays half undone for now: %s", run.run_id[:8], error)
        data: dict[str, JSON] = {"warning": f"half undone for now, and tried again: {error.detail}"}
        known = any(event.data == data for event in self._journal.events(run.digest))
        notes: list[Effect] = [] if known else [Note(run.digest, now_ms, EventType.WARNING, data, run.run_id)]
        await self._tell(run, notes, refused)
        self._journal.tasks.retry(task, now_ms + _AGAIN_MS)
        await self._journal.database.committed()

    async def _tell(self, run: RunRecord, effects: list[Effect], refused: ServiceError | None) -> None:
        """Write down how it went, and then tell whoever waits for it."""
        await self._performer.perform(effects)
        waiting = self._waiting.get(run.run_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(refused)

    async def forget(self, task: Task) -> None:
        """Remove what an apply replaced, unless it is being undone right now."""
        if self.is_undoing(task.key):
            self._journal.tasks.retry(task, self._clock.now_ms() + _AGAIN_MS)
            await self._journal.database.committed()
            return
        run = self._journal.run(task.key)
        if run is not None:
            await self._performer.perform(undoing.forgotten(run))
        try:
            await self._originals.forget(task.key)
        except WallError as error:
            log.warning("originals of run %s stay: %s", task.key[:8], error.detail)
        await self._performer.perform([Unplan(TaskKind.ORIGINALS, task.key)])
