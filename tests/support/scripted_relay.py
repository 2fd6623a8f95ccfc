"""A small real relay on a real WebSocket, which does what a test says: refuse, drop, delay, repeat, freeze, hang up.

It speaks the protocol's own session and frames, verifies the hello like any relay, and keeps no mailboxes: a test says
what it delivers and when it answers.
"""

import secrets
import ssl
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from dispatch_protocol.encoding import JSON
from dispatch_protocol.frames import (
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Frame,
    Hello,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.framing import decode_message, encode_messages
from dispatch_protocol.limits import MESSAGE_BYTES
from dispatch_protocol.session import Role, Session, SessionProof, verify_hello
from tests.support.patience import eventually

EPOCH = "epoch-1"


class ScriptedRelay:
    """One relay; `url` is its address once it is started. What it saw stands in its lists, newest last."""

    def __init__(self) -> None:
        self.url = ""
        self.epoch = EPOCH
        self.clock_ahead_ms = 0
        self.greets = True  # sends a challenge
        self.welcomes = True  # answers a hello
        self.refusal: Rejected | None = None  # in place of a welcome
        self.http_refusal: HTTPStatus | None = None  # in place of a WebSocket
        self.answers: Callable[[Deposit | Call], Iterable[Frame]] = self.answer
        self.proofs: list[SessionProof] = []
        self.tokens: list[str | None] = []
        self.deposits: list[bytes] = []
        self.acked: list[int] = []
        self.batches: list[int] = []  # frames in each message since the welcome
        self.dialled = 0
        self.closings: list[int | None] = []
        self._seq = 0
        self._server: Server | None = None
        self._open: dict[ServerConnection, Session] = {}

    @property
    def sessions(self) -> int:
        """How many sessions are open now."""
        return len(self._open)

    async def start(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        """Listen on loopback; a port that was listened on before stands for a relay that comes back."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            port,
            ssl=tls,
            compression=None,
            max_size=MESSAGE_BYTES,
            ping_interval=None,
            close_timeout=0.2,
            process_request=self._admit,
        )
        self.url = (
            f"{'https' if tls else 'http'}://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"
        )

    @property
    def port(self) -> int:
        """The port, to come back to."""
        return int(self.url.rsplit(":", 1)[1])

    async def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def proven(self, times: int) -> None:
        """Wait until so many sessions have been opened, and one is open."""
        await eventually(lambda: len(self.proofs) == times and self.sessions == 1)

    # What a test makes it do to those who are connected.

    def answer(self, frame: Deposit | Call) -> Iterable[Frame]:
        """Answer like an honest relay."""
        if isinstance(frame, Deposit):
            return [Deposited(frame.ref)]
        return [Answer(frame.ref, {"op": frame.op, "args": dict(frame.args)})]

    async def deliver(self, *envelopes: bytes) -> None:
        """Deliver envelopes, in as few messages as hold them."""
        frames: list[Frame] = []
        for envelope in envelopes:
            self._seq += 1
            frames.append(Deliver(self._seq, envelope))
        await self.say(*frames)

    async def kept(self) -> None:
        """Wait until everything delivered so far has been acknowledged; what was before a cut counts for nothing."""
        await eventually(lambda: len(set(self.acked)) >= self._seq)

    async def notify(self, kind: str, data: dict[str, JSON]) -> None:
        """Send a notice."""
        await self.say(Notice(kind, data))

    async def say(self, *frames: Frame) -> None:
        """Send frames, allowed or not."""
        for message in encode_messages(frames):
            await self.write(message)

    async def write(self, message: bytes | str) -> None:
        """Send any message."""
        for connection in list(self._open):
            await connection.send(message)

    def cut(self) -> None:
        """Break every connection without a word."""
        for connection in list(self._open):
            connection.transport.abort()

    def freeze(self) -> None:
        """Stay connected and answer nothing any more, not even a ping: the other half of a half-open connection."""
        for connection in list(self._open):
            connection.transport.pause_reading()  # type: ignore[attr-defined] - every TCP transport can

    async def hang_up(self, code: int = 1001) -> None:
        """End every session in order."""
        for connection in list(self._open):
            await connection.close(code)

    # Its own life.

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.dialled += 1
        if self.http_refusal is not None:
            return connection.respond(self.http_refusal, "not now\n")
        if request.path != "/v1/session":
            return connection.respond(HTTPStatus.NOT_FOUND, "nothing here\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        session = Session(Role.RELAY)
        try:
            if not self.greets:
                await connection.wait_closed()
            elif await self._greet(connection, session):
                self._open[connection] = session
                await self._converse(connection, session)
        except ConnectionClosed:
            pass
        finally:
            self._open.pop(connection, None)
            self.closings.append(connection.close_code)

    async def _greet(self, connection: ServerConnection, session: Session) -> bool:
        now_ms = time.time_ns() // 1_000_000 + self.clock_ahead_ms
        challenge = Challenge(secrets.token_bytes(32), self.epoch, self.url, now_ms)
        await _send(connection, session, [challenge])
        message = await connection.recv()
        assert isinstance(message, bytes)
        (hello,) = decode_message(message)
        session.receive(hello)
        assert isinstance(hello, Hello)
        proof, _ = verify_hello(hello, url=self.url, challenge=challenge.challenge)
        self.proofs.append(proof)
        self.tokens.append(hello.token)
        if self.refusal is not None:
            await _send(connection, session, [self.refusal])
            return False
        if not self.welcomes:
            await connection.wait_closed()
            return False
        await _send(connection, session, [Welcome("fresh-token", now_ms + 900_000, self.epoch, now_ms)])
        return True

    async def _converse(self, connection: ServerConnection, session: Session) -> None:
        async for message in connection:
            assert isinstance(message, bytes)
            frames = decode_message(message)
            self.batches.append(len(frames))
            replies: list[Frame] = []
            for frame in frames:
                session.receive(frame)
                if isinstance(frame, Ack):
                    self.acked += frame.seqs
                elif isinstance(frame, Deposit | Call):
                    if isinstance(frame, Deposit):
                        self.deposits.append(frame.envelope)
                    replies += self.answers(frame)
            await _send(connection, session, replies)


async def _send(connection: ServerConnection, session: Session, frames: Iterable[Frame]) -> None:
    """Send frames that the session allows; what it does not allow is sent all the same."""
    for message in encode_messages(frames):
        for frame in decode_message(message):
            if not (isinstance(frame, Rejected | Deposited | Answer) and frame.ref not in session.pending):
                session.send(frame)
        await connection.send(message)
