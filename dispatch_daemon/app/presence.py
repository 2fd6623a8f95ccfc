"""Who is connected, as the relay tells: it decides nothing, and is looked up for whoever looks at a list.

A page looks again at every change and a script as often as it likes, while the relay grants a device only so many calls:
those that find a new device of a contact, or of one's own, must not wait behind these.
"""

import asyncio
import time
from collections.abc import Callable

from dispatch_daemon.app.online import Online
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.pace import Pace

WAIT_S = 1.0  # how long a list waits for the relay's word
BURST = 4  # looks, one after the other, that the relay is asked about
AGAIN_MS = 1_000  # and then once in this time: so old may a word be, or a silence


class Presence:
    """The relay's last word on who is connected."""

    def __init__(self, online: Callable[[], Online]) -> None:
        self._online = online
        self._told: dict[str, bool] = {}
        self._pace = Pace(BURST, AGAIN_MS)

    async def told(self) -> dict[str, bool]:
        """Return which edges' other sides are connected; of one that is not named nothing is known.

        A relay that says nothing holds up no list for longer than `WAIT_S`.
        """
        now_ms = time.monotonic_ns() // 1_000_000
        if self._pace.may(now_ms):
            self._pace.spend(now_ms)
            try:
                async with asyncio.timeout(WAIT_S):
                    self._told = await self._online().presence()
            except (ServiceError, TimeoutError):
                self._told = {}
        return self._told
