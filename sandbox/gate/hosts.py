"""The gate to granted hosts: a proxy that serves the listener made inside, and lets out to exactly these.

Anything inside can call it. It passes on tunnels whose first words are those of a TLS client that asks for the granted
host, and plain requests to an explicitly granted port 80, each written anew. What is said within TLS is between the two
ends: the gate sees neither content nor paths. Whatever it gives is bounded, and all of it ends with the run.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from sandbox.gate.client_hello import Hello, HelloError
from sandbox.gate.destinations import Destination
from sandbox.gate.dialling import Dialler
from sandbox.gate.proxying import HEAD_BYTES, Asked, parse
from sandbox.gate.refusal import GateRefusalError
from sandbox.oneline import one_line

_PIECE_BYTES = 64 * 1024
_REFUSALS_TOLD = 100
_FAREWELL_S = 2.0
_PAUSE_S = 0.2
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one run may take of the gate.

    `connections` are served at once, more wait; `words_s` is how long the head of a request, and then the hello of a TLS
    client, may take to come; `idle_s` how long nothing may move; `run_bytes` counts everything, both ways.
    """

    connections: int = 32
    words_s: float = 10.0
    idle_s: float = 120.0
    run_bytes: int = 4 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate did: let out for the first time to a host, or not at all, and why not. It holds no content."""

    allowed: bool
    what: str
    code: str = ""


T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class HostGate:
    """One run's gate. `tell` hears of each host before the first byte leaves for it, and of what was refused."""

    allowed: frozenset[Destination]
    dialler: Dialler
    tell: Callable[[Decision], Awaitable[None]]
    bounds: Bounds = field(default_factory=Bounds)
    moved: int = 0
    _told: set[Destination] = field(default_factory=set)
    _telling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refusals: int = 0

    @contextlib.asynccontextmanager
    async def serve(self, listener: socket.socket) -> AsyncIterator[None]:
        """Serve until the context is left; then every connection is closed."""
        serving: set[asyncio.Task[None]] = set()
        accepting = asyncio.create_task(self._accept(listener, serving), name="gate to hosts")
        try:
            yield
        finally:
            accepting.cancel()
            await asyncio.wait([accepting])
            listener.close()
            for task in serving:
                task.cancel()
            if serving:
                await asyncio.wait(serving)

    async def _accept(self, listener: socket.socket, serving: set[asyncio.Task[None]]) -> None:
        """Take connections as there is room; those that wait cost their run alone."""
        room = asyncio.Semaphore(self.bounds.connections)
        loop = asyncio.get_running_loop()

        def done(task: asyncio.Task[None]) -> None:
            serving.discard(task)
            room.release()
            if not task.cancelled() and (failure := task.exception()) is not None:
                loop.call_exception_handler({"message": "a way to a host failed", "exception": failure})

        while True:
            await room.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # one that gave up while it waited, or no descriptor is left
                room.release()
                await asyncio.sleep(_PAUSE_S)
                continue
            task = asyncio.create_task(self._serve(connection), name="connection to a host")
            serving.add(task)
            task.add_done_callback(done)

    async def _serve(self, connection: socket.socket) -> None:
        """Serve one connection to its end; whatever is wrong with it is told outside, and inside while it can be."""
        inside: Streams | None = None
        dialled: socket.socket | None = None
        try:
            inside = await asyncio.open_connection(sock=connection, limit=HEAD_BYTES)
            asked = await self._asked(inside[0])
            dialled = await self._dial(asked.destination)
            await self._pass(asked, inside, dialled)
        except GateRefusalError as refusal:
            await self._refuse(refusal)
            if inside is not None and dialled is None:
                await _answer(inside[1], refusal)
        except (OSError, EOFError, TimeoutError):
            pass  # one of the two ends is gone, or silent
        finally:
            if inside is None:
                connection.close()
            else:
                inside[1].transport.abort()

    async def _asked(self, reader: asyncio.StreamReader) -> Asked:
        """Read what is asked for, bounded in size and time, and refuse what was not granted."""
        try:
            async with asyncio.timeout(self.bounds.words_s):
                asked = parse(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.LimitOverrunError:
            raise GateRefusalError("gate_too_large", "the request is too large", 431) from None
        except TimeoutError:
            raise GateRefusalError("gate_slow", "the request did not come in time", 408) from None
        if asked.destination not in self.allowed:
            granted = ", ".join(str(each) for each in sorted(self.allowed))
            raise GateRefusalError(
                "gate_forbidden", f"{asked.destination} is not granted; this run may reach {granted}"
            )
        return asked

    async def _dial(self, destination: Destination) -> socket.socket:
        """Find the host, tell of it, and connect to it."""
        self._count(0)
        addresses = await self.dialler.find(destination)
        async with self._telling:  # whoever comes meanwhile waits until it is told
            if destination not in self._told:
                await self.tell(Decision(allowed=True, what=str(destination)))
                self._told.add(destination)
        return await self.dialler.dial(destination, addresses)

    async def _pass(self, asked: Asked, inside: Streams, dialled: socket.socket) -> None:
        """Let the first words out once they are known to be right, then carry what both ends say."""
        outside = await asyncio.open_connection(sock=dialled, limit=_PIECE_BYTES)
        try:
            if asked.head is None:
                inside[1].write(_ESTABLISHED)
                first = await self._hello(asked.destination, inside[0])
                await self._carry(inside, outside, first, None)
            else:
                await self._carry(inside, outside, asked.head, asked.body_bytes)
        finally:
            outside[1].transport.abort()

    async def _hello(self, destination: Destination, reader: asyncio.StreamReader) -> bytes:
        """Read the first words of a tunnel; they must be those of a TLS client that asks for this host."""
        hello = Hello()
        try:
            async with asyncio.timeout(self.bounds.words_s):
                while hello.name is None:
                    hello.take(await reader.readexactly(hello.wanted))
        except HelloError as error:
            raise GateRefusalError("gate_hello", f"what was said to {destination}: {error}") from None
        except TimeoutError:
            raise GateRefusalError("gate_slow", f"nothing was said to {destination} in time") from None
        if hello.name != destination.host:
            said = one_line(hello.name, 80)
            raise GateRefusalError("gate_hello", f"what was said to {destination} asks for {said}")
        return bytes(hello.taken)

    async def _carry(self, inside: Streams, outside: Streams, first: bytes, body_bytes: int | None) -> None:
        """Carry both ways until both ends have said all; `body_bytes` is how much more may leave, None for no end."""
        moments = _Moments(self.bounds.idle_s)
        self._count(len(first))
        outside[1].write(first)
        ways = [
            asyncio.ensure_future(self._pump(inside[0], outside[1], moments, body_bytes)),
            asyncio.ensure_future(self._pump(outside[0], inside[1], moments, None)),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        await _farewell(inside[1])

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        moments: "_Moments",
        left: int | None,
    ) -> None:
        """Carry one way: all there is, or exactly `left` bytes; a reader that is slow holds back its own writer only."""
        while left != 0:
            size = _PIECE_BYTES if left is None else min(left, _PIECE_BYTES)
            piece = await moments.within(partial(reader.read, size))
            if not piece and left is not None:
                raise EOFError  # half a request is none
            if not piece:
                break
            left = None if left is None else left - len(piece)
            self._count(len(piece))
            writer.write(piece)
            await moments.within(writer.drain)
        if left is None and writer.can_write_eof():
            writer.write_eof()

    def _count(self, size: int) -> None:
        """Count what moves; raises GateRefusalError `gate_bytes` when the run has moved all that it may."""
        self.moved += size
        if self.moved > self.bounds.run_bytes:
            raise GateRefusalError(
                "gate_bytes",
                f"the run has moved {self.bounds.run_bytes:,} bytes, and more is not carried",
                429,
            )

    async def _refuse(self, refusal: GateRefusalError) -> None:
        """Tell of a refusal, as many times as somebody would read it."""
        self._refusals += 1
        if self._refusals <= _REFUSALS_TOLD:
            await self.tell(Decision(allowed=False, what=one_line(refusal.detail, 400), code=refusal.code))


class _Moments:
    """When anything moved last on a connection: neither end is idle as long as the other is not."""

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._clock = asyncio.get_running_loop().time
        self._last_s = self._clock()

    async def within(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do something that may wait, for as long as the connection is not idle.

        Raises:
            TimeoutError: Nothing has moved for too long.
        """
        while True:
            timer = asyncio.timeout(max(0.0, self._last_s + self._idle_s - self._clock()))
            try:
                async with timer:
                    done = await act()
            except TimeoutError:
                if not timer.expired() or self._clock() >= self._last_s + self._idle_s:
                    raise
            else:
                self._last_s = self._clock()
                return done


async def _answer(writer: asyncio.StreamWriter, refusal: GateRefusalError) -> None:
    """Say inside why not, as a proxy does; a tunnel that was open already is only closed."""
    said = f"{refusal.code}: {refusal.detail}\n".encode()
    head = f"HTTP/1.1 {refusal.status} {refusal.code}\r\ncontent-type: text/plain; charset=utf-8\r\n"
    writer.write(f"{head}content-length: {len(said)}\r\nconnection: close\r\n\r\n".encode() + said)
    await _farewell(writer)


async def _farewell(writer: asyncio.StreamWriter) -> None:
    """Close once what was written has gone, or nobody has taken it."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_FAREWELL_S):
            await writer.wait_closed()


def hosts(named: Iterable[str]) -> frozenset[Destination]:
    """Read the hosts of a grant."""
    return frozenset(Destination.read(each) for each in named)
