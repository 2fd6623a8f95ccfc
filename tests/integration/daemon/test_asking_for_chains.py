"""How often the relay is asked for a chain that it did not know to have grown a moment ago."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch_daemon.app.chains import BURST, QUIET_MS, Chains
from tests.support.ageing_device import AgeingDevice


@pytest.fixture
def device(tmp_path: Path) -> Iterator[AgeingDevice]:
    """A device and a relay that holds its chain."""
    device = AgeingDevice(tmp_path)
    yield device
    device.close()


def chains_of(device: AgeingDevice, asked: list[str]) -> Chains:
    """Return what looks for chains at the device's relay, and writes down each question."""
    relay = device.relay
    assert relay is not None
    relay.before = asked.append
    desk = (device.journal, device.people, device.clock, device.performer)
    return Chains(*desk, lambda: relay, device.own_chain)


async def test_what_was_asked_a_moment_before_a_device_was_added_is_asked_again_for_what_it_says(
    device: AgeingDevice,
) -> None:
    """As when a session has just opened: its look found nothing new, and what the new device says follows within a second."""
    await device.pair()
    chains, genesis = chains_of(device, []), device.people.own.genesis
    assert not await chains.learn(genesis, patiently=True)
    assert device.relay is not None
    device.relay.chain = device.other_rotates(device.chain)
    assert await chains.learn(genesis)
    assert device.chain.head == device.relay.chain.head


async def test_whoever_states_links_that_nobody_has_lets_the_relay_be_asked_about_once_a_second(
    device: AgeingDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    chains, genesis = chains_of(device, asked), device.people.own.genesis
    now_ms = device.clock.now_ms()
    for seconds, most in ((0, BURST), (1, BURST + 1), (3, BURST + 3), (60, 2 * BURST + 3)):
        monkeypatch.setattr(device.clock, "wall_ms", lambda at_ms=now_ms + seconds * QUIET_MS: at_ms)
        for _ in range(3 * BURST):
            assert not await chains.learn(genesis)
        assert len(asked) == most
