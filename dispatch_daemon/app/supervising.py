"""The runs of this daemon: started when they are due, stopped when they must, mended after a crash."""

import asyncio
import logging

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.ballast import Ballast
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal, JournalError, Task
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.pausing import may_start
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.run_book import RunBook
from dispatch_daemon.app.running import Conductor
from dispatch_daemon.app.settling import Settling
from dispatch_daemon.core import approvals, by_hand, parking, questions, runs
from dispatch_daemon.core.effects import TaskKind, Unplan
from dispatch_daemon.core.records import RunRecord
from dispatch_protocol.lifecycle import RUN, RunState, is_final

_JOURNAL_AGAIN_S = 2.0
_PAUSED_MS = 3_600_000  # until a paused run is looked at again, if nobody takes the pause back
log = logging.getLogger("dispatch.runs")


class Supervisor:
    """Owns the conductors; at most `at_once` runs go on together, the others wait in the effects table."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        executor: Executor,
        agents: Agents,
        ballast: Ballast,
        blobs: BlobStore,
        *,
        at_once: int = 4,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._executor = executor
        self._agents = agents
        self._ballast = ballast
        self._blobs = blobs
        self._room = asyncio.Semaphore(at_once)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._questions: dict[str, asyncio.Future[None]] = {}
        performer.on_stop = self.stop_run
        performer.on_resolve = self.resolve

    # -- tasks of the effects table --------------------------------------------------------------------

    async def start(self, task: Task) -> None:
        """Take up an accepted run; its task stays owed until the run has ended."""
        run = self._journal.run(task.key)
        if run is not None and run.state is RunState.APPLYING:
            if task.key not in self._running:
                await self._settling(task.key).finish_apply()
            return
        if run is None or not self._is_to_begin(run):
            await self._performer.perform([Unplan(TaskKind.RUN, task.key)])
            return
        if self._held(task):
            return
        conducting = asyncio.create_task(self._conduct(task), name=f"run {task.key}")
        self._running[task.key] = conducting
        conducting.add_done_callback(lambda _: self._running.pop(task.key, None))

    async def heartbeat(self, task: Task) -> None:
        """Tell the author that the run is alive."""
        run = self._journal.run(task.key)
        record = self._journal.dispatch(run.digest) if run else None
        if run is None or record is None or not (task.key in self._running or by_hand.is_by_hand(run)):
            await self._performer.perform([Unplan(TaskKind.HEARTBEAT, task.key)])
            return
        peer = self._people.peer_of(record)
        await self._performer.perform(
            runs.heartbeat(record, run, self._people.own, peer, self._clock.moment())
        )

    async def silence(self, task: Task) -> None:
        """Turn silence into a no: an answer's deadline has come."""
        approval = self._journal.approval(task.key)
        effects = approvals.time_out(approval, self._clock.now_ms()) if approval else []
        await self._performer.perform(effects or [Unplan(TaskKind.ANSWER_DEADLINE, task.key)])

    async def retain(self, task: Task) -> None:
        """End a parked run that nobody took up in time, and tell its author."""
        run = self._journal.run(task.key)
        record = self._journal.dispatch(run.digest) if run else None
        if run is None or record is None or run.parked_ms is None or self._is_taken_up(run):
            await self._performer.perform([Unplan(TaskKind.RETENTION, task.key)])
            return
        await self._performer.perform(
            parking.dropped(
                record,
                run,
                self._people.own,
                self._people.peer_of(record),
                self._clock.moment(),
                code="not_resumed",
                detail="nobody took it up again in time; nothing was applied",
                returns=questions.unread(questions.scopes_of(run), by_model=run.agent != "steps"),
                events=self._journal.events(record.digest),
            )
        )

    def _is_taken_up(self, run: RunRecord) -> bool:
        record = self._journal.dispatch(run.digest)
        return record is not None and parking.is_owed(record, run)

    def _is_to_begin(self, run: RunRecord) -> bool:
        return run.state is RunState.QUEUED or self._is_taken_up(run)

    # -- stopping, answering ---------------------------------------------------------------------------

    def answered(self, request_id: str) -> "asyncio.Future[None]":
        """Return a future that is done once the question is no longer open."""
        return self._questions.setdefault(request_id, asyncio.get_running_loop().create_future())

    def resolve(self, request_id: str) -> None:
        """Let the run behind a closed question go on."""
        waiting = self._questions.pop(request_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def stop_run(self, run_id: str, code: str) -> None:
        """Kill a run whose end is already in the journal, and remove what it wrote."""
        conducting = self._running.get(run_id)
        if conducting is not None and conducting is not asyncio.current_task():
            conducting.cancel()
            await asyncio.gather(conducting, return_exceptions=True)
        self._executor.forget(run_id)
        log.info("run %s stopped: %s", run_id[:8], code)

    def _held(self, task: Task) -> bool:
        """Give a run back that must not start because its person has paused this machine; it waits until they say so."""
        if may_start(self._journal):
            return False
        self._journal.tasks.retry(task, self._clock.now_ms() + _PAUSED_MS)
        return True

    async def _conduct(self, task: Task) -> None:
        run_id = task.key
        conductor = self._conductor(run_id)
        async with self._room:
            run = self._journal.run(run_id)
            if run is None or not self._is_to_begin(run):  # it was ended while it waited for room
                return
            if self._held(task):  # it was paused meanwhile
                return
            self._ballast.lay()
            try:
                await conductor.conduct()
            except Exception as error:
                # Whatever went wrong here is ours; the run must still end, and its author must hear of it.
                log.exception("run %s failed inside the daemon", run_id[:8])
                failure = error
            else:
                return
        await self._end_broken(conductor, run_id, failure)

    async def _end_broken(self, conductor: Conductor, run_id: str, failure: Exception) -> None:
        """End a run that could not be conducted, however long the journal refuses to hear of it."""
        is_full = isinstance(failure, JournalError) and failure.code == "disk_full"
        while True:
            if is_full:
                self._ballast.spend()
            try:
                run = self._journal.run(run_id)
                if run is not None and run.state is RunState.APPLYING:
                    # The files may hold all of it: only the apply's own journal knows.
                    await conductor.settling.finish_apply()
                elif run is not None and not is_final(RUN, run.state):
                    await conductor.settling.broken("disk_full" if is_full else "internal")
            except JournalError as error:
                log.error("run %s has an end that the journal cannot hold yet: %s", run_id[:8], error)  # noqa: TRY400 - no mistake of ours to trace
                is_full = is_full or error.code == "disk_full"
                await asyncio.sleep(_JOURNAL_AGAIN_S)
            else:
                return

    def _conductor(self, run_id: str) -> Conductor:
        return Conductor(self._book(run_id), self._executor, self._agents, self._blobs)

    def _settling(self, run_id: str) -> Settling:
        return Settling(self._book(run_id), self._executor, self._blobs)

    def _book(self, run_id: str) -> RunBook:
        return RunBook(run_id, self._journal, self._people, self._clock, self._performer, self.answered)

    # -- from one life to the next ---------------------------------------------------------------------

    async def mend(self) -> None:
        """End what an earlier life left: runs are interrupted, applies that had begun are carried on."""
        unfinished = self._journal.runs_unfinished()
        for run in unfinished:
            record = self._journal.dispatch(run.digest)
            if record is None or record.peer == "" or run.device != self._people.own.device.hex:
                continue  # the author's view of somebody else's run
            if run.state is RunState.QUEUED or run.parked_ms is not None or by_hand.is_by_hand(run):
                continue  # nothing of it was going on
            settling = self._settling(run.run_id)
            if run.state is RunState.APPLYING:
                await settling.finish_apply()
            else:
                await settling.interrupted()
        await asyncio.to_thread(self._executor.sweep, {run.run_id for run in unfinished})

    async def stop(self) -> None:
        """End every run of this life as interrupted; nothing of them reaches the files."""
        for run_id, conducting in list(self._running.items()):
            run = self._journal.run(run_id)
            if run is None or run.state is RunState.APPLYING:
                await asyncio.gather(conducting, return_exceptions=True)
                continue
            conducting.cancel()
            await asyncio.gather(conducting, return_exceptions=True)
            run = self._journal.run(run_id)
            if run is not None and not is_final(RUN, run.state) and run.state is not RunState.QUEUED:
                try:
                    await self._settling(run_id).interrupted()
                except JournalError as error:
                    log.error("run %s is ended by the next start: %s", run_id[:8], error)  # noqa: TRY400 - no mistake of ours to trace
