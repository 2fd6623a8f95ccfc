"""How often the relay is asked who is connected."""

from typing import cast

import pytest

from dispatch_daemon.app import presence
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.presence import AGAIN_MS, BURST, Presence
from dispatch_daemon.core.errors import ServiceError


class Relay:
    """A relay that says each time something else, or nothing."""

    def __init__(self) -> None:
        self.asked = 0
        self.silent = False

    async def presence(self) -> dict[str, bool]:
        self.asked += 1
        if self.silent:
            raise ServiceError("broker_unreachable", "it is away")
        return {f"answer {self.asked}": True}


async def test_whoever_looks_again_and_again_asks_the_relay_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay, now_ms = Relay(), 100_000
    monkeypatch.setattr(presence.time, "monotonic_ns", lambda: now_ms * 1_000_000)
    known = Presence(lambda: cast(Online, relay))
    seen = [await known.told() for _ in range(20)]
    assert seen == [{f"answer {min(look, BURST)}": True} for look in range(1, 21)]
    for asked in (BURST + 1, BURST + 2):
        now_ms += AGAIN_MS
        for _ in range(20):
            assert await known.told() == {f"answer {asked}": True}
    now_ms += AGAIN_MS
    relay.silent = True
    for _ in range(20):
        assert await known.told() == {}
    assert relay.asked == BURST + 3
