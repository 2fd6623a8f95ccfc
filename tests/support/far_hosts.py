"""Hosts somewhere else, as a run meets them: real servers on loopback, and a resolver that says where names lie."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.certificates import make_certificate


@dataclass
class FarHost:
    """One server; it answers each request with `says` and keeps what it was asked, head and body."""

    says: bytes = b"from far away"
    port: int = 0
    bundle: Path = Path()
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        self.connections += 1
        self._open.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line[15:])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            self.asked.append(head + await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(self.says) + self.says)
            await writer.drain()
        except (OSError, EOFError, ssl.SSLError):
            pass  # it hung up, which some tests make it do
        finally:
            self._open.discard(writer)
            writer.close()

    @property
    def held(self) -> int:
        """How many connections are open now."""
        return len(self._open)


@asynccontextmanager
async def far_host(
    folder: Path | None = None, *names: str, says: bytes = b"from far away"
) -> AsyncIterator[FarHost]:
    """Serve on loopback: over TLS for these names with a folder for its certificate, plainly without."""
    made = FarHost(says)
    context = None
    if folder is not None:
        context, made.bundle = make_certificate(folder, *names)
    server = await asyncio.start_server(made.meet, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class NameServer:
    """A resolver that answers from a table: each lookup of a name takes the next of its answers, the last for ever."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        known = self.answers.get(host)
        if known is None:
            raise OSError(f"nobody knows {host}")
        return known.pop(0) if len(known) > 1 else known[0]


@dataclass
class Recorder:
    """A host that says nothing and keeps every byte."""

    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    connections: int = 0
    held: int = 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Listen to one connection to its end."""
        self.connections += 1
        self.held += 1
        try:
            while piece := await reader.read(65_536):
                self.heard += piece
        except OSError:
            pass  # it was cut off, as the test wanted
        finally:
            self.held -= 1
            writer.close()


@asynccontextmanager
async def recorder(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Recorder]:
    """Listen on loopback and keep what comes."""
    made = Recorder()
    server = await asyncio.start_server(made.meet, host, port)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
