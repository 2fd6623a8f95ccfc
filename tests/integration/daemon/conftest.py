"""What the daemon's adapter tests share: a door over real sockets, a relay and links to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.loopback.server import Door
from dispatch_daemon.adapters.relay import LinkPhase, RelayLink
from tests.support.door_client import TOKEN, DoorClient
from tests.support.linked_device import QUICK, LinkedDevice
from tests.support.patience import eventually
from tests.support.scripted_relay import ScriptedRelay
from tests.support.scripted_service import ScriptedService


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
async def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
async def open_door(home: Path, service: ScriptedService) -> AsyncIterator[Callable[..., Awaitable[Door]]]:
    """Open doors with any settings; they are closed at the end."""
    doors: list[Door] = []

    async def start(**settings: object) -> Door:
        chosen: dict[str, Any] = {"home": home, "port": 0, "token": TOKEN, **settings}
        door = Door(service, **chosen)
        await door.start()
        doors.append(door)
        return door

    yield start
    service.pause.set()
    for door in doors:
        await door.stop()


@pytest.fixture
async def door(open_door: Callable[..., Awaitable[Door]]) -> Door:
    return await open_door()


@pytest.fixture
def client(door: Door) -> DoorClient:
    return DoorClient(door, TOKEN)


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedRelay]:
    relay = ScriptedRelay()
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
async def device() -> LinkedDevice:
    return LinkedDevice()


@pytest.fixture
async def linked(
    relay: ScriptedRelay, device: LinkedDevice
) -> AsyncIterator[Callable[..., Awaitable[RelayLink]]]:
    """Start links with any timing; they are closed at the end."""
    running: list[tuple[RelayLink, asyncio.Task[None]]] = []

    async def start(
        url: str | None = None, *, online: bool = True, ca_bundle: str | None = None, **settings: Any
    ) -> RelayLink:
        timing = replace(QUICK, **settings)
        link = device.link(url or relay.url, timing=timing, ca_bundle=ca_bundle)
        running.append((link, asyncio.create_task(link.run())))
        if online:
            await eventually(lambda: link.state.phase is LinkPhase.ONLINE)
        return link

    yield start
    device.may_keep.set()
    for link, task in running:
        await link.aclose()
        await task
