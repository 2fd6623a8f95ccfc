"""Who watches: every watcher has the present state first and then each change, or is told to start again.

A watcher that does not keep up costs the others nothing: its queue is bounded, and when it is full the
watcher's stream ends; it reconnects and gets the whole present state anew.
"""

import asyncio
from collections.abc import AsyncIterator

from dispatch_daemon.ports import JsonObject, Update

_QUEUE_LENGTH = 1024


class Watchers:
    """Publishes changes to any number of watchers, each for one dispatch or for all."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[JsonObject | None], str | None] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def publish(self, dispatch_id: str | None, change: JsonObject) -> None:
        """Hand a change to whoever watches this dispatch or everything."""
        for queue, wanted in list(self._queues.items()):
            if wanted is not None and wanted != dispatch_id:
                continue
            try:
                queue.put_nowait(change)
            except asyncio.QueueFull:
                del self._queues[queue]
                queue.get_nowait()
                queue.put_nowait(None)

    async def follow(self, dispatch_id: str | None, snapshot: JsonObject) -> AsyncIterator[Update]:
        """Yield the snapshot, then changes; ends when the watcher falls behind or the daemon stops.

        `snapshot` must have been read in the same turn of the loop in which iteration begins.
        """
        queue: asyncio.Queue[JsonObject | None] = asyncio.Queue(_QUEUE_LENGTH)
        self._queues[queue] = dispatch_id
        try:
            yield Update("snapshot", snapshot)
            while (change := await queue.get()) is not None:
                yield Update("change", change)
        finally:
            self._queues.pop(queue, None)

    def close(self) -> None:
        """End every stream."""
        for queue in list(self._queues):
            del self._queues[queue]
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)
