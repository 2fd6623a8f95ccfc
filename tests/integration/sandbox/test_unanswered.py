"""Why nobody answered is said in a sentence of ours, whichever way the asking went wrong; nothing of the library's leaks."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from sandbox.unanswered import unanswered

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.close()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def speaks_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)  # the whole hello: what is left unread would reset the connection
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


async def asked(url: str) -> str:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session:
        with pytest.raises((aiohttp.ClientError, TimeoutError)) as raised:
            await session.get(url)
    return unanswered(url, raised.value)


@pytest.mark.parametrize(
    ("scheme", "server", "said"),
    [
        ("http", hangs_up, "{base} broke off before it had answered"),
        ("http", says_nothing, "{base} was asked and said nothing for too long"),
        ("https", speaks_plainly, "the certificate of {host} is not trusted, or it speaks no TLS"),
    ],
)
async def test_what_a_server_does_is_said(scheme: str, server: Server, said: str) -> None:
    over: list[asyncio.StreamWriter] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(writer)
        with contextlib.suppress(ConnectionError):
            await server(reader, writer)

    listening = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with listening:
        host = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        base = f"{scheme}://{host}"
        assert await asked(base) == said.format(base=base, host=host)
        for writer in over:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def test_a_port_where_nobody_is_and_an_address_that_is_none_are_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, and nobody else takes it
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert await asked(base) == f"nobody answers at {base}"
    assert await asked("http://") == "http:// is no address"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (aiohttp.ClientConnectorDNSError, "no address is known here for model.example"),
        (aiohttp.ClientProxyConnectionError, "the proxy does not lead to http://model.example/v1"),
    ],
)
def test_a_name_without_an_address_and_a_proxy_that_fails_are_said(kind: Any, said: str) -> None:
    key = SimpleNamespace(host="model.example", port=80, ssl=True, is_ssl=False)
    assert unanswered("http://model.example/v1", kind(key, OSError(1, "a word of the library"))) == said
