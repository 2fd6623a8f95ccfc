"""What the daemon's adapter tests share: a door over real sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from dispatch_daemon.adapters.loopback.server import Door
from tests.support.door_client import TOKEN
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
        chosen = {"home": home, "port": 0, "token": TOKEN} | settings
        door = Door(service, **chosen)  # type: ignore[arg-type]
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
