"""Calling somebody who is not looking: once for each thing, and once for many that come together.

It follows what changes as a page does, so nothing of the daemon knows of it or waits for it. What waited already when
the daemon began is not told again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.notifier import Notifier
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core.notices import Notice, environment, notices_of, sentence
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.shared_records import QuestionRecord

GATHER_S = 1.0  # what comes together is told together
QUIET_S = 30.0  # between one call and the next
log = logging.getLogger("dispatch.notices")


class Notifying:
    """Tells one person through one program."""

    def __init__(
        self,
        journal: Journal,
        watchers: Watchers,
        notifier: Notifier,
        now_ms: Callable[[], int],
        *,
        gather_s: float = GATHER_S,
        quiet_s: float = QUIET_S,
        elsewhere: Callable[[DispatchRecord], bool] = lambda _: False,
        asked: Callable[[DispatchRecord], Sequence[QuestionRecord]] = lambda _: (),
    ) -> None:
        self._journal = journal
        self._watchers = watchers
        self._notifier = notifier
        self._now_ms = now_ms
        self._gather_s = gather_s
        self._quiet_s = quiet_s
        self._elsewhere = elsewhere
        self._asked = asked
        self._began_ms = 0
        self._known: dict[str, set[str]] = {}
        self._waiting: dict[str, Notice] = {}
        self._something = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with what is known to wait already."""
        self._began_ms = self._now_ms()
        for record in self._journal.unfinished():
            self._known[record.digest] = {notice.key for notice in self._of(record)}
        self._tasks = [
            asyncio.create_task(self._follow(), name="notices"),
            asyncio.create_task(self._tell(), name="telling"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End at once; what was not told is seen at the next look."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # a failure was said when it happened
        await self._notifier.stop()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Say that a part broke off; the daemon goes on, and `doctor` names it."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("nobody is called any more: %s stopped", task.get_name(), exc_info=error)
            self._notifier.failure = f"has stopped until the daemon begins anew: {error}"

    def _of(self, record: DispatchRecord, *, since_ms: int = 0) -> list[Notice]:
        """Return the notices of a dispatch, those of messages from a moment on."""
        said = [each for each in self._journal.messages.about(record.digest) if each.at_ms >= since_ms]
        approvals = self._journal.approvals_of(record.digest)
        return notices_of(
            record, approvals, said, elsewhere=self._elsewhere(record), asked=self._asked(record)
        )

    def _told_before(self, record: DispatchRecord) -> set[str]:
        """Return what somebody was called for in an earlier life, about a dispatch that this one has not seen yet.

        What was unfinished at the start is known already, so what came before it and is not known had ended.
        """
        if record.arrived_ms >= self._began_ms:
            return set()
        since = {notice.key for notice in self._of(record, since_ms=self._began_ms)}
        everything = {notice.key for notice in self._of(record)}
        standing = {notice.key for notice in notices_of(record, ())}
        return (everything - since) | standing

    async def _follow(self) -> None:
        """Look at each dispatch that changes; one who falls behind looks again from the present state."""
        while True:
            for record in self._journal.unfinished():
                self._look(record)
            async for update in self._watchers.follow(None, {}):
                changed = update.data.get("dispatch_id")
                found = self._journal.dispatch_named(changed) if isinstance(changed, str) else None
                if found is not None:
                    self._look(found)

    def _look(self, record: DispatchRecord) -> None:
        """Note what is new about a dispatch, and forget what was answered before anybody was called."""
        now = {notice.key: notice for notice in self._of(record)}
        if record.digest not in self._known:
            self._known[record.digest] = self._told_before(record)
        known = self._known[record.digest]
        for key in known - now.keys():
            self._waiting.pop(key, None)
        for key in now.keys() - known:
            self._waiting[key] = now[key]
        self._known[record.digest] = set(now)
        if self._waiting:
            self._something.set()

    async def _tell(self) -> None:
        while True:
            await self._something.wait()
            await asyncio.sleep(self._gather_s)
            self._something.clear()
            notices, self._waiting = list(self._waiting.values()), {}
            if notices:
                await self._notifier.tell(sentence(notices), environment(notices))
                await asyncio.sleep(self._quiet_s)
