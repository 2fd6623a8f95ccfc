"""Undo at the door: what it would do, shown first; then done exactly so, or not at all."""

from dispatch_daemon.adapters.executor import Originals, WallError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.undoing import Undoer
from dispatch_daemon.core import undoing
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord, Door, RunRecord
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.timestamps import format_time, time_or_none


class Undoing:
    """Taking back what a run of this machine has applied."""

    def __init__(
        self, journal: Journal, clock: Clock, originals: Originals, undoer: Undoer, dispatches: Dispatches
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._originals = originals
        self._undoer = undoer
        self._dispatches = dispatches

    async def undo_preview(self, *, dispatch_id: str) -> JsonObject:
        """Return what an undo would do now, and under which digest a human agrees to it."""
        record = self._dispatches.find(dispatch_id)
        run = self._undoable(record)
        try:
            shown = await self._originals.preview(run.run_id)
        except WallError as error:
            raise ServiceError(error.code, error.detail, hint=error.remedy or None) from error
        return {
            "dispatch_id": record.dispatch_id,
            "run_id": run.run_id,
            "undo_until": format_time(run.undo_until_ms or 0),
            **shown,
        }

    async def undo(self, *, dispatch_id: str, digest: str, by: str) -> JsonObject:
        """Undo what was shown under this digest; nothing else, and nothing at all if somebody was there since."""
        record = self._dispatches.find(dispatch_id)
        await self._undoer.ask(self._undoable(record), digest, Door(by))
        run = self._journal.runs(record.digest)[-1]
        return {**self._dispatches.acted(record.digest, run), "undone_at": time_or_none(run.undone_ms)}

    def _undoable(self, record: DispatchRecord) -> RunRecord:
        runs = self._journal.runs(record.digest)
        run = runs[-1] if runs else None
        going_on = run is not None and self._undoer.is_undoing(run.run_id)
        return undoing.require_undoable(record, run, self._clock.now_ms(), going_on=going_on)
