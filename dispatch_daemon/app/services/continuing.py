"""Going on at the door: what a human does about a dispatch after it was accepted, and before it has ended."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor, WallError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.pausing import require_unpaused
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.preparing import seal_artifacts
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.unheard import bounded
from dispatch_daemon.core import (
    approvals,
    attachments,
    by_hand,
    outgoing,
    parking,
    questions,
    rundir,
    stepping_in,
)
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import (
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    Box,
    DispatchRecord,
    Door,
    RunRecord,
)
from dispatch_daemon.ports import FileChoice, JsonObject
from dispatch_protocol.scopes import Returns

DISCARDED = "its human threw away what it had done; nothing was applied"


class Continuing:
    """Taking up, dropping, completing, and asking less."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        executor: Executor,
        blobs: BlobStore,
        dispatches: Dispatches,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._executor = executor
        self._blobs = blobs
        self._dispatches = dispatches

    async def resume(self, *, dispatch_id: str) -> JsonObject:
        """Take up a parked run, under the grant as it is now and over files that nobody else has changed since."""
        require_unpaused(self._journal)
        found = self._dispatches.find(dispatch_id)
        run = parking.require_parked(found, self._last_run(found))
        await self._dispatches.require_wall()
        drifted = await self._drift(run)
        record = self._dispatches.find(found.dispatch_id)  # somebody else may have decided meanwhile
        run = parking.require_parked(record, self._last_run(record))
        self._dispatches.require_edge(record)
        if drifted:
            shown = ", ".join(drifted[:5]) + (" …" if len(drifted) > 5 else "")
            raise ServiceError(
                "changed_meanwhile",
                f"these changed since the run was parked, so it cannot go on over them: {shown}",
                hint=f"dispatch discard {record.dispatch_id[:8]}",
            )
        await self._dispatches.require_able(record, instead=f"dispatch discard {record.dispatch_id[:8]}")
        scopes, why = bounded(self._journal, self._people, record, self._clock.now_ms())
        record = replace(record, decision={**(record.decision or {}), "asks_because": why})
        place = rundir.resolve(scopes, cwd=run.cwd, caller_cwd=None)
        await self._performer.perform(
            parking.resumed(record, run, scopes=scopes, place=place, now_ms=self._clock.now_ms())
        )
        return self._dispatches.acted(record.digest, run)

    async def _drift(self, run: RunRecord) -> tuple[str, ...]:
        try:
            return await self._executor.drift(run.run_id)
        except WallError as error:
            raise ServiceError("not_kept", error.detail, hint=error.remedy or None) from error

    async def discard(self, *, dispatch_id: str, by: str) -> JsonObject:
        """Throw away what a parked run had done, or a changeset that waits for its answer."""
        record = self._dispatches.find(dispatch_id)
        run = self._last_run(record)
        closing = self._closing_question(record, run)
        if closing is not None and run is not None:
            effects = approvals.decide(
                closing,
                approved=False,
                grant=None,
                reason=DISCARDED,
                run=run,
                edge=record.edge,
                door=Door(by),
                moment=self._clock.moment(),
            )
            await self._performer.perform(effects)
            return self._dispatches.acted(record.digest, run)
        run = parking.require_parked(record, run)
        await self._performer.perform(
            parking.dropped(
                record,
                run,
                self._people.own,
                self._people.peer_of(record),
                self._clock.moment(),
                code="discarded",
                detail=DISCARDED,
                returns=questions.unread(questions.scopes_of(run), by_model=run.agent != "steps"),
                events=self._journal.events(record.digest),
            )
        )
        return self._dispatches.acted(record.digest, run)

    def _closing_question(self, record: DispatchRecord, run: RunRecord | None) -> ApprovalRecord | None:
        for approval in self._journal.approvals_of(record.digest):
            asked = approval.state is ApprovalState.OPEN and approval.kind is ApprovalKind.CHANGESET
            if asked and run is not None and approval.run_id == run.run_id:
                return approval
        return None

    async def review(self, *, dispatch_id: str, by: str) -> JsonObject:
        """Let a run ask no more; its changes are approved at the end."""
        record = self._dispatches.find(dispatch_id)
        run = self._last_run(record)
        effects = stepping_in.review(
            record,
            run,
            self._journal.approvals_of(record.digest),
            trust=self._people.trust_of(record.peer),
            door=Door(by),
            now_ms=self._clock.now_ms(),
        )
        await self._performer.perform(effects)
        return {**self._dispatches.acted(record.digest, run), "approval": "review"}

    async def complete(
        self, *, dispatch_id: str, text: str, files: list[str], handed: tuple[FileChoice, ...] = ()
    ) -> JsonObject:
        """Say what came of a dispatch that a human did by hand; the words and the digests of its files are signed.

        `files` are paths on this machine, `handed` files whose bytes were handed over, as a page can.
        """
        found = self._dispatches.find(dispatch_id)
        run = by_hand.require_by_hand(found, self._last_run(found))
        outgoing.check_text(text)
        artifacts = await self._sealed(found, run, await self._gathered(run, files, handed))
        record = self._dispatches.find(found.dispatch_id)
        run = by_hand.require_by_hand(record, self._last_run(record))
        await self._performer.perform(
            by_hand.complete(
                record,
                run,
                self._people.own,
                self._people.peer_of(record),
                self._clock.moment(),
                text=text,
                artifacts=artifacts,
                returns=questions.scopes_of(run).returns,
            )
        )
        return self._dispatches.acted(record.digest, run)

    async def _gathered(
        self, run: RunRecord, files: list[str], handed: tuple[FileChoice, ...]
    ) -> list[JsonObject]:
        """Keep the files of both kinds; what was handed over is opened beside them, and only for as long as it takes."""
        if not handed:
            return await self._kept(run, files)
        chosen = attachments.attach(handed, self._journal.files(choice.file_id for choice in handed))
        with self._executor.workplace(run.run_id) as place:
            opened = place / "handed"
            try:
                await asyncio.to_thread(self._blobs.unpack, chosen, opened)
            except FileNotFoundError as error:
                raise ServiceError("file_unknown", "a file was handed over too long ago") from error
            return await self._kept(run, [*files, *sorted(str(path) for path in opened.iterdir())])

    async def _kept(self, run: RunRecord, files: list[str]) -> list[JsonObject]:
        for path in files:
            if not os.path.isabs(path):
                raise ServiceError("path_invalid", f"{path} is not written in full")
        try:
            return await asyncio.to_thread(self._executor.keep_files, run.run_id, files)
        except OSError as error:
            said = f"{error.filename or 'a file'} cannot be read: {error.strerror}"
            raise ServiceError("file_unreadable", said) from error
        except WallError as error:
            raise ServiceError(error.code, error.detail, hint=error.remedy) from error

    async def _sealed(
        self, record: DispatchRecord, run: RunRecord, artifacts: list[JsonObject]
    ) -> Sequence[JsonObject]:
        """Seal the files, if their author may have them: they travel beside the result."""
        if record.box is Box.OWN or questions.scopes_of(run).returns is Returns.STATUS:
            return artifacts
        place = self._executor.artifacts(run.run_id)
        return await seal_artifacts(artifacts, place, self._blobs, self._clock.now_ms())

    def _last_run(self, record: DispatchRecord) -> RunRecord | None:
        runs = self._journal.runs(record.digest)
        return runs[-1] if runs else None
