"""The scheduler: it looks at the effects table and sees that everything due is done, once at a time per task.

It sleeps until the next task falls due or somebody plans one. The waiting is by the boot-time clock in short
stretches, so a machine that slept wakes to its overdue deadlines at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from dispatch_daemon.adapters.journal import Journal, JournalError, Task
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.core.effects import TaskKind

_LONGEST_WAIT_S = 5.0
_AT_ONCE = 64  # of one lane
# What waits for the relay has a lane of its own: one that answers nothing must not hold up this machine's own deadlines.
# So have files, a few at a time: they may take long, and must not hold up words.
_WAITING_FOR_RELAY = frozenset({TaskKind.DEPOSIT, TaskKind.RELAY_CALL, TaskKind.ROTATE})
_MOVING_FILES = frozenset({TaskKind.UPLOAD, TaskKind.FETCH})
_FILES_AT_ONCE = 4
# Handlers of these do not wait for what they write of their task at the end; all of them may be repeated without harm.
_UNHURRIED = _WAITING_FOR_RELAY | _MOVING_FILES
log = logging.getLogger("dispatch.scheduler")

Handler = Callable[[Task], Awaitable[None]]


class Scheduler:
    """Runs handlers for due tasks; a handler settles its own task (unplans it or gives it back)."""

    def __init__(self, journal: Journal, clock: Clock, handlers: Mapping[TaskKind, Handler]) -> None:
        self._journal = journal
        self._clock = clock
        self._handlers = handlers
        self._wake = asyncio.Event()
        relay, files = _WAITING_FOR_RELAY & handlers.keys(), _MOVING_FILES & handlers.keys()
        lanes = (relay, files, handlers.keys() - relay - files)
        self._lanes = tuple(tuple(sorted(lane)) for lane in lanes if lane)
        self._busy: dict[asyncio.Task[None], Task] = {}
        self._ungiven: list[Task] = []
        self._undone = journal.database.undone
        self._stopping = False

    def wake(self) -> None:
        """Look at the table again: something was planned or became possible."""
        self._wake.set()

    async def run(self) -> None:
        """Serve until `stop`; an error of a handler is logged and its task is tried again, never lost."""
        while not self._stopping:
            self._wake.clear()
            try:
                await self._give_back()
                await self._take_up()
            except JournalError as error:
                log.error("the journal cannot be written, so nothing is taken up for now: %s", error)  # noqa: TRY400 - no mistake of ours to trace
                await self._wait(at_least_s=_LONGEST_WAIT_S)
            else:
                await self._wait()

    async def _give_back(self) -> None:
        """Owe again what could not be given back, or settled, because the journal could not be written then."""
        while self._ungiven:
            self._journal.tasks.retry(self._ungiven[-1], self._clock.now_ms())
            await self._journal.database.committed()
            self._ungiven.pop()
        undone = self._journal.database.undone
        if undone != self._undone:
            doing = {(task.kind, task.key) for task in self._busy.values()}
            for task in self._journal.tasks.taken(tuple(_UNHURRIED)):
                if (task.kind, task.key) not in doing:
                    self._journal.tasks.retry(task, self._clock.now_ms())
            await self._journal.database.committed()
            self._undone = undone

    async def _take_up(self) -> None:
        """Start what is due, as far as there is room."""
        for lane in self._lanes:
            due = self._journal.tasks.due(lane, self._clock.now_ms(), self._room(lane))
            if _WAITING_FOR_RELAY.issuperset(lane):
                self._start_at_once(due)
            elif due:
                await self._start_once_taken(due)

    def _start_at_once(self, due: Sequence[Task]) -> None:
        """Start what goes to the relay. That it was taken may be lost: it is due again, and does no harm twice."""
        for task in due:
            with self._journal.database.at_leisure():
                if self._journal.tasks.take(task, self._clock.now_ms()):
                    self._start(task)

    async def _start_once_taken(self, due: Sequence[Task]) -> None:
        """Start what must not be done twice at a time: if its taking were lost, it would be due while it is done."""
        with self._journal.database.together():
            taken = [task for task in due if self._journal.tasks.take(task, self._clock.now_ms())]
        await self._journal.database.committed()
        if not self._stopping:
            for task in taken:
                self._start(task)

    def _room(self, lane: Sequence[TaskKind]) -> int:
        most = _FILES_AT_ONCE if _MOVING_FILES.issuperset(lane) else _AT_ONCE
        return max(0, most - len(self._doing(lane)))

    def _start(self, task: Task) -> None:
        running = asyncio.create_task(self._handle(task), name=f"{task.kind} {task.key[:16]}")
        self._busy[running] = task
        running.add_done_callback(self._done)

    def _done(self, running: "asyncio.Task[None]") -> None:
        del self._busy[running]
        self._wake.set()

    async def _handle(self, task: Task) -> None:
        try:
            await self._handlers[task.kind](task)
        except Exception:
            log.exception("task %s %s failed; it stays owed", task.kind, task.key[:16])
            try:
                self._journal.tasks.retry(task, self._clock.now_ms() + 10_000)
                await self._journal.database.committed()
            except JournalError:
                self._ungiven.append(task)

    async def _wait(self, *, at_least_s: float = 0.0) -> None:
        kinds = tuple(kind for lane in self._lanes if self._room(lane) for kind in lane)
        due_ms = self._journal.tasks.next_due_ms(kinds) if kinds else None
        wait_s = _LONGEST_WAIT_S
        if due_ms is not None:
            wait_s = min(wait_s, max(at_least_s, (due_ms - self._clock.now_ms()) / 1000))
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def drain(self, kinds: Sequence[TaskKind], limit_s: float) -> None:
        """Let what is due of these kinds be done, for at most so long; what cannot be done now stays owed."""
        try:
            async with asyncio.timeout(limit_s):
                while self._journal.tasks.due(kinds, self._clock.now_ms()) or self._doing(kinds):
                    self._wake.set()
                    await asyncio.wait(self._doing(kinds) or {asyncio.create_task(asyncio.sleep(0))})
        except TimeoutError:
            log.info("stopped with work still owed; it is done at the next start")

    def _doing(self, kinds: Sequence[TaskKind]) -> set["asyncio.Task[None]"]:
        return {running for running, task in self._busy.items() if task.kind in kinds}

    async def stop(self) -> None:
        """Take up nothing new, and end what is being done; it stays owed."""
        self._stopping = True
        self._wake.set()
        for running in list(self._busy):
            running.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
