"""Clients that hold a door open and say little: each is let go in the end, and nobody else waits for them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.dispatch_command import SCALE
from tests.support.neighbourhood import Broker, Person

MANY = 120
SERVED_S = 10 * SCALE  # for one ordinary request beside them; each of them alone may stay longer

HEAD = b"POST /v1/dispatches HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
SLOW = {
    "nothing at all": b"",
    "half a request line": b"GET /hea",
    "headers without end": HEAD + b"X-A: b\r\n",
    "a body that does not come": HEAD + b"Content-Length: 1000\r\n\r\n{",
    "chunks that do not come": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
}


@pytest.fixture
def broker(place: Path) -> Iterator[Broker]:
    program = Broker(place)
    program.start()
    try:
        yield program
    finally:
        program.stop()


@pytest.fixture
def bob(place: Path) -> Iterator[Person]:
    person = Person("bob", place)
    person.daemon.start()
    try:
        yield person
    finally:
        person.daemon.stop()


@contextlib.asynccontextmanager
async def holding(url: str, said: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Hold many connections that have said this much and no more."""
    place = url.removeprefix("http://")
    host, _, port = place.partition(":")
    ends = await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(MANY)))
    try:
        for _, writer in ends:
            writer.write(said.replace(b"%s", place.encode()))
            await writer.drain()
        yield [reader for reader, _ in ends]
    finally:
        for _, writer in ends:
            writer.close()


async def served(url: str, path: str, token: str | None = None) -> int:
    """Ask one ordinary question; return its status."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=SERVED_S)
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers) as client,
        client.get(f"{url}{path}") as response,
    ):
        return response.status


@pytest.mark.parametrize("said", SLOW.values(), ids=SLOW.keys())
async def test_the_broker_serves_others_meanwhile(broker: Broker, said: bytes) -> None:
    async with holding(broker.url, said):
        assert await served(broker.url, "/health") == 200


@pytest.mark.parametrize("said", SLOW.values(), ids=SLOW.keys())
async def test_the_daemon_serves_its_owner_meanwhile(bob: Person, said: bytes) -> None:
    token = (bob.home / "local.token").read_text().strip()
    async with holding(bob.daemon.url, said):
        assert await served(bob.daemon.url, "/v1/whoami", token) == 200


async def test_both_stop_in_order_however_many_hang_on(broker: Broker, bob: Person) -> None:
    for program in (broker, bob.daemon):
        async with holding(program.url, SLOW["headers without end"]) as readers:
            assert program.process is not None
            os.kill(program.process.pid, signal.SIGTERM)
            await asyncio.gather(*(asyncio.wait_for(_closed(reader), 30 * SCALE) for reader in readers))
        assert await asyncio.to_thread(program.process.wait, 30 * SCALE) == 0


async def _closed(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()
