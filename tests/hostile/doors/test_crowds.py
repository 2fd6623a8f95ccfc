"""Crowds at the broker's door: more connections than files it may usually open, and peers that never read an answer."""

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.dispatch_command import SCALE
from tests.support.neighbourhood import Broker
from tests.support.patience import eventually
from tests.support.relay import broker_here

FILES = 256  # a usual soft limit is 1,024; a lower one needs a smaller crowd
CROWD = 320
ASKED = b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200


@pytest.fixture
def broker(place: Path) -> Iterator[Broker]:
    """A broker whose shell lets it open few files, as shells do, and would let it open more."""
    program = Broker(place)
    program.arguments = ["sh", "-c", f'ulimit -Sn {FILES} && exec "$@"', "sh", *program.arguments]
    program.start()
    try:
        yield program
    finally:
        program.stop()


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


async def test_more_connections_than_files_lock_nobody_out(broker: Broker) -> None:
    crowd = [await asyncio.open_connection(*address(broker.url)) for _ in range(CROWD)]
    try:
        timeout = aiohttp.ClientTimeout(total=10 * SCALE)
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.get(f"{broker.url}/health") as seen,
        ):
            assert seen.status == 200
    finally:
        for _, writer in crowd:
            writer.close()


@contextlib.asynccontextmanager
async def jammed(url: str) -> AsyncIterator[socket.socket]:
    """Ask, and read no answer, until the broker can neither write another nor take another question."""
    loop = asyncio.get_running_loop()
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer.setblocking(False)
        await loop.sock_connect(peer, address(url))
        with contextlib.suppress(TimeoutError, ConnectionError):
            while True:
                await asyncio.wait_for(loop.sock_sendall(peer, ASKED), 1)
        yield peer


@pytest.mark.timeout(60 * SCALE)
async def test_a_peer_that_reads_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch_broker.app._UNREAD_S", 1.0)
    async with broker_here(tmp_path / "broker") as broker, jammed(broker.url) as peer:
        watch = select.poll()
        watch.register(peer, select.POLLHUP | select.POLLERR)
        await eventually(lambda: watch.poll(0))
        async with aiohttp.ClientSession() as client, client.get(f"{broker.url}/health") as seen:
            assert seen.status in {200, 429}
