"""How often the relay is asked who is connected."""

from typing import cast

import pytest

from dispatch_daemon.app import presence
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.presence import AGAIN_S, Presence
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
    relay, now_s = Relay(), 100.0
    monkeypatch.setattr(presence.time, "monotonic", lambda: now_s)
    known = Presence(lambda: cast(Online, relay))
    for answer in ("answer 1", "answer 2"):
        for _ in range(20):
            assert await known.told() == {answer: True}
        now_s += AGAIN_S
    relay.silent = True
    for _ in range(20):
        assert await known.told() == {}
    assert relay.asked == 3
