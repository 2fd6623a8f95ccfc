"""A gate to hosts with a real listener before it, as something inside would meet it, and names that a table answers for."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sandbox.gate.destinations import Destination
from sandbox.gate.dialling import Dialler
from sandbox.gate.hosts import Bounds, Decision, HostGate, hosts
from tests.support.far_hosts import NameServer
from tests.support.patience import eventually

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Rerouted(Dialler):
    """A dialler for which every port lies at `port`: nobody but root may listen where plain HTTP is spoken."""

    port: int = 0

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> socket.socket:
        return await Dialler.dial(self, Destination(destination.host, self.port), addresses)


@dataclass
class Besieged:
    """A gate, what it decided, and what was looked up."""

    gate: HostGate
    port: int
    names: NameServer
    decisions: list[Decision]
    halted: asyncio.Event
    lost: list[Exception] = field(default_factory=list)
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append(writer)
        return reader, writer

    async def say(self, said: bytes) -> tuple[str, Streams]:
        """Say something on a connection of its own; return the first line of the answer, empty at an end."""
        reader, writer = await self.connect()
        writer.write(said)
        return await first_line(reader), (reader, writer)

    async def tunnel(self, place: str) -> tuple[str, Streams]:
        """Ask for a tunnel; return the first line of the answer, and the connection behind the answer's head."""
        line, streams = await self.say(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        if line.split()[1:2] == ["200"]:
            assert await streams[0].readline() == b"\r\n"
        return line, streams

    @property
    def codes(self) -> list[str]:
        return [decision.code for decision in self.decisions if not decision.allowed]

    @property
    def reached(self) -> list[str]:
        return [decision.what for decision in self.decisions if decision.allowed]


async def first_line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readline()).decode("latin-1").strip()
    except OSError:
        return ""


async def is_over(streams: Streams) -> bool:
    """Read to the end of a connection and say that it has come."""
    with suppress(OSError):
        await streams[0].read()
    streams[1].close()
    return True


async def refused(gate: Besieged, code: str) -> None:
    """Wait until the gate has told that it refused."""
    await eventually(lambda: code in gate.codes)


@asynccontextmanager
async def host_gate(
    *granted: str,
    answers: Mapping[str, Sequence[Sequence[str]]],
    private: Sequence[str] = (),
    doors: Sequence[int] = (),
    bounds: Bounds | None = None,
    reroute: int = 0,
) -> AsyncIterator[Besieged]:
    """Serve a gate to what is granted; `answers` says for each name what its lookups give, one after another."""
    decisions: list[Decision] = []
    halted = asyncio.Event()
    halted.set()
    names = NameServer({name: [*each] for name, each in answers.items()})
    lost: list[Exception] = []

    async def tell(decision: Decision) -> None:
        await halted.wait()
        if lost:
            raise lost[0]
        decisions.append(decision)

    opened = frozenset(private), lambda: frozenset(doors), names
    dialler = Rerouted(*opened, port=reroute) if reroute else Dialler(*opened)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    listener.setblocking(False)
    port = listener.getsockname()[1]
    gate = HostGate(hosts(granted), dialler, tell, bounds or Bounds())
    async with gate.serve(listener):
        made = Besieged(gate, port, names, decisions, halted, lost)
        yield made
    for writer in made.opened:
        writer.close()
