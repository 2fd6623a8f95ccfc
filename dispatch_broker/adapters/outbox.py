"""What goes out over one session: answers at once, envelopes from the mailbox as far as the window allows.

A task that sends exists only while there is something to send, so an idle connection costs no more than itself. What
waits here is bounded in each of its kinds: answers by the reader, who pauses until they are read; envelopes by the
window; words about others by being kept once each, the newest only.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from aiohttp import web

from dispatch_broker.adapters.store_sqlite import StoreError
from dispatch_broker.core.effects import Topic
from dispatch_broker.core.mailbox import Load, Parcel, Window
from dispatch_broker.core.quota import Quotas
from dispatch_protocol.frames import Deliver, Frame, Notice
from dispatch_protocol.framing import encode_messages
from dispatch_protocol.keys import Genesis
from dispatch_protocol.session import Session, SessionState

_MESSAGE_BYTES = 256 * 1024  # small answers are gathered up to this, one large frame goes alone


class Outbox:
    """The sending half of one session; `read` reads the device's mailbox, `lost` hears why it ended."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        session: Session,
        quotas: Quotas,
        *,
        read: Callable[[Load], list[tuple[Parcel, bytes]]],
        lost: Callable[[ConnectionError | StoreError], None],
    ) -> None:
        self._socket = socket
        self._session = session
        self._window = Window(quotas.in_flight)
        self._read = read
        self._lost = lost
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._unsent_limit_bytes = quotas.unsent_bytes
        self._topics: set[Topic] = set()
        self._presence: dict[Genesis, bool] = {}
        self._grown: set[Genesis] = set()
        self._sender: asyncio.Task[None] | None = None
        self._relief = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Send a frame as soon as the socket takes it; nothing happens once the session is closed."""
        if self._session.state is SessionState.CLOSED:
            return
        (message,) = encode_messages((frame,))
        self._session.send(frame)
        self._unsent.append(message)
        self._unsent_bytes += len(message)
        self._stir()

    def wake(self) -> None:
        """Send what has come into the mailbox."""
        self._window.arrived()
        self._stir()

    def tell(self, topic: Topic) -> None:
        """Send that something changed, once however often it did."""
        self._topics.add(topic)
        self._stir()

    def show(self, genesis: Genesis, *, online: bool) -> None:
        """Send that somebody came or went, as it stands when it is sent."""
        self._presence[genesis] = online
        self._stir()

    def grown(self, genesis: Genesis) -> None:
        """Send that a contact's chain has become another, once however often it did."""
        self._grown.add(genesis)
        self._stir()

    def acknowledged(self, seqs: Iterable[int]) -> tuple[int, ...]:
        """Open the window by what was acknowledged; returns which of it may be forgotten."""
        done = self._window.acknowledged(seqs)
        self._stir()
        return done

    async def room(self) -> None:
        """Wait until the other side has read enough of its answers to be asked for more."""
        while self._unsent_bytes > self._unsent_limit_bytes and self._sender is not None:
            self._relief.clear()
            await self._relief.wait()

    async def empty(self) -> None:
        """Wait until everything that can be sent now was handed to the socket, or the socket is gone."""
        while self._sender is not None:
            self._relief.clear()
            await self._relief.wait()

    async def stop(self) -> None:
        """Stop sending, whatever is left."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    def _stir(self) -> None:
        if self._sender is None and not self._socket.closed:
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while message := self._next():
                await self._socket.send_bytes(message)
                self._relief.set()
        except (ConnectionError, StoreError) as error:
            self._lost(error)
        finally:
            self._sender = None
            self._relief.set()

    def _next(self) -> bytes:
        """Return the next message: answers first, then words about others, then envelopes; empty when there is none."""
        if self._unsent:
            return self._next_answers()
        if self._session.state is not SessionState.OPEN:
            return b""
        frames: list[Frame] = [Notice(topic.value, {}) for topic in sorted(self._topics)]
        frames += [
            Notice("presence", {"genesis": genesis.hex, "online": online})
            for genesis, online in self._presence.items()
        ]
        frames += [Notice(Topic.CHAIN.value, {"genesis": genesis.hex}) for genesis in sorted(self._grown)]
        self._topics.clear()
        self._grown.clear()
        self._presence.clear()
        return self._encode(frames or self._next_parcels())

    def _next_answers(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._unsent and (not parts or size + len(self._unsent[0]) <= _MESSAGE_BYTES):
            parts.append(self._unsent.popleft())
            size += len(parts[-1])
        self._unsent_bytes -= size
        return b"".join(parts)

    def _next_parcels(self) -> list[Frame]:
        load = self._window.load()
        if load is None:
            return []
        parcels = self._read(load)
        self._window.loaded([parcel for parcel, _ in parcels])
        return [Deliver(parcel.seq, raw) for parcel, raw in parcels]

    def _encode(self, frames: list[Frame]) -> bytes:
        for frame in frames:
            self._session.send(frame)
        return b"".join(encode_messages(frames))
