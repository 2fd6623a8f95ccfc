"""The door's event stream over real sockets: the whole present state, then what changes, and nobody waits for the slow."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.loopback.server import Door
from tests.support.door_client import TOKEN, DoorClient
from tests.support.patience import eventually
from tests.support.scripted_answers import DISPATCH, LISTED
from tests.support.scripted_service import ScriptedService

Opener = Callable[..., Awaitable[Door]]


class Stream:
    """Reads a chunked event stream piece by piece."""

    def __init__(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
        self._reader = reader
        self.headers = headers
        self._text = ""
        self.comments = 0
        self.retry: str | None = None

    async def event(self) -> tuple[str, Any]:
        """Return the next event's name and data; ("", None) at the end."""
        while True:
            block, separator, rest = self._text.partition("\n\n")
            if separator:
                self._text = rest
                fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
                self.retry = fields.get("retry", self.retry)
                if "data" in fields:
                    return fields["event"], json.loads(fields["data"])
                self.comments += 1
                continue
            size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
            if size == 0:
                return "", None
            self._text += (await self._reader.readexactly(size + 2))[:-2].decode()


@asynccontextmanager
async def watching(
    door: Door, home: Path, query: str = "", *, unix: bool = False, token: str = TOKEN
) -> AsyncIterator[Stream]:
    client = DoorClient(door, token)
    reader, writer = await client.connect(unix=unix)
    writer.write(client.head("GET", f"/v1/events{query}", Connection="keep-alive").encode())
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])
    }
    yield Stream(reader, headers)
    writer.close()


@pytest.mark.parametrize("unix", [False, True])
async def test_a_watcher_gets_the_present_state_and_then_changes(
    door: Door, home: Path, service: ScriptedService, unix: bool
) -> None:
    async with watching(door, home, unix=unix) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert await stream.event() == ("snapshot", {"dispatches": [LISTED], "approvals": []})
        assert stream.retry == "1000"
        for number in range(3):
            service.publish({"type": "status", "dispatch": DISPATCH, "text": f"line\n{number} 🦊"})
        for number in range(3):
            name, data = await stream.event()
            assert (name, data["text"]) == ("change", f"line\n{number} 🦊")


async def test_one_dispatch_may_be_watched(door: Door, home: Path, service: ScriptedService) -> None:
    async with watching(door, home, f"?dispatch={DISPATCH}") as stream:
        await stream.event()
    assert service.calls == [("subscribe", {"dispatch_id": DISPATCH})]


async def test_a_quiet_stream_shows_that_it_lives(
    open_door: Opener, home: Path, service: ScriptedService
) -> None:
    door = await open_door(ping_s=0.01)
    async with watching(door, home) as stream:
        await stream.event()
        waiting = asyncio.create_task(stream.event())
        await eventually(lambda: stream.comments >= 3)
        service.publish({"type": "status"})
        assert (await waiting)[0] == "change"


@pytest.mark.parametrize("how", ["the link came twice", "every page was closed"])
async def test_a_page_whose_session_has_ended_reads_no_further(
    open_door: Opener, home: Path, service: ScriptedService, how: str
) -> None:
    door = await open_door(ping_s=60.0)
    program = DoorClient(door, TOKEN)
    link = (await program.ask("POST", "/v1/page/links", {}, unix=True)).value["url"]
    code = {"code": link.partition("/#code=")[2]}
    token = (await program.ask("POST", "/v1/page/sessions", code, Authorization=None)).value["token"]
    async with watching(door, home) as other, watching(door, home, token=token) as stream:
        await other.event()
        await stream.event()
        if how == "the link came twice":
            assert (await program.ask("POST", "/v1/page/sessions", code, Authorization=None)).status == 401
        else:
            assert (await program.ask("DELETE", "/v1/page/sessions", unix=True)).value == {"closed": 1}
        service.publish({"type": "status", "text": "for programs alone"})
        assert await stream.event() == ("", None)
        assert (await other.event())[1]["text"] == "for programs alone"


async def test_a_watcher_that_leaves_is_forgotten(
    open_door: Opener, home: Path, service: ScriptedService
) -> None:
    door = await open_door(ping_s=0.01)
    async with watching(door, home) as stream:
        await stream.event()
        assert len(service.watchers) == 1
    await eventually(lambda: not service.watchers)


async def test_a_watcher_that_falls_behind_is_told_and_let_go(
    open_door: Opener, home: Path, service: ScriptedService
) -> None:
    door = await open_door()
    async with watching(door, home, unix=True) as stream, watching(door, home) as other:
        await stream.event()
        await other.event()
        for number in range(2_000):
            service.publish({"type": "status", "number": number, "padding": "x" * 4_000})
        names = []
        while (event := await stream.event())[0]:
            names.append(event)
        assert names[-1] == (
            "dropped",
            {"code": "watcher_slow", "detail": "Reconnect for the present state."},
        )
        numbers = [data["number"] for name, data in names[:-1]]
        assert numbers == list(range(len(numbers)))
    await eventually(lambda: not service.watchers)
    async with watching(door, home) as stream:
        assert (await stream.event())[0] == "snapshot"


async def test_a_watcher_that_never_reads_is_cut(
    open_door: Opener, home: Path, service: ScriptedService
) -> None:
    door = await open_door(write_timeout_s=0.05)
    client = DoorClient(door, TOKEN)
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stuck, door.socket)
        await asyncio.get_running_loop().sock_sendall(stuck, client.head("GET", "/v1/events").encode())
        await eventually(lambda: service.watchers)

        def gone() -> bool:
            service.publish({"padding": "x" * 100_000})
            return not service.watchers

        await eventually(gone)


async def test_a_stream_that_breaks_off_ends(
    door: Door, home: Path, service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(door, home) as stream:
        await stream.event()
        with caplog.at_level(logging.ERROR):
            service.publish(RuntimeError("the journal is gone"))
            assert await stream.event() == ("", None)
    assert "broke off" in caplog.text


async def test_a_stopping_daemon_takes_no_new_watchers(client: DoorClient, service: ScriptedService) -> None:
    service.stopping = True
    reply = await client.ask("GET", "/v1/events")
    assert (reply.status, reply.code) == (503, "draining")


async def test_a_closing_door_lets_every_watcher_go(
    open_door: Opener, home: Path, service: ScriptedService
) -> None:
    door = await open_door()
    async with watching(door, home) as one, watching(door, home, unix=True) as other:
        await one.event()
        await other.event()
        await asyncio.wait_for(door.stop(), 2)
        assert await one.event() == ("", None)
        assert await other.event() == ("", None)
    assert not service.watchers
