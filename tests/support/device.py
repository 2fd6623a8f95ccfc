"""A small real device for tests of the broker: the protocol's own session and frames over a WebSocket, and no more.

It proves its key like any device, but it keeps nothing and decides nothing, so a test can say exactly what it sends and
when it acknowledges. `Wire.socket` lets a test send bytes that no device would.
"""

import asyncio
import contextlib
import hashlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import TAG_BYTES, WRAP_BYTES, Envelope, EnvelopeClass, Header, padme
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
from dispatch_protocol.head import Party
from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.keys import (
    DeviceId,
    Digest,
    EdgeId,
    Genesis,
    RecoveryKey,
    SealingKey,
    SigningKey,
)
from dispatch_protocol.limits import INVITATION_S, MESSAGE_BYTES
from dispatch_protocol.links import IdentityKind, genesis_link
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.session import Role, Session, SessionProof
from dispatch_protocol.signing import Document, sign_document

PATIENCE_S = 10.0


class RelayRefusalError(Exception):
    """The relay said no."""

    def __init__(self, code: str, status: int, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.code = code
        self.status = status


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


_BORN_MS = now_ms()  # of every device: a sealing key that is too old gets nothing


def _secret(name: str, use: str) -> bytes:
    return hashlib.sha256(f"{use} of {name}".encode()).digest()


@dataclass
class Device:
    """One person with one device; the same `name` is always the same identity, with the same keys."""

    name: str
    counter: int = 0
    chain: Chain = field(init=False)

    def __post_init__(self) -> None:
        self.signing = SigningKey(_secret(self.name, "signing"))
        self.sealing = SealingKey(_secret(self.name, "sealing"))
        self.recovery = RecoveryKey(_secret(self.name, "recovery"))
        link = genesis_link(
            kind=IdentityKind.PERSON,
            device=self.signing,
            sealing=self.sealing.public,
            recovery=self.recovery,
            created_ms=_BORN_MS,
            nonce=bytes(16),
        )
        self.chain = Chain.verify([link], expect=None)

    @property
    def address(self) -> str:
        """This person's address."""
        return f"{self.name}@example.org"

    @property
    def id(self) -> DeviceId:
        """This device."""
        return self.signing.device

    @property
    def genesis(self) -> Genesis:
        """This identity."""
        return self.chain.genesis

    async def login(self, url: str, *, address: str | None = None) -> str:
        """Sign in at a development broker and return the token; raises RelayRefusalError."""
        asked = {"email": address or self.address, "device": self.id.hex, "genesis": self.genesis.hex}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{url}/v1/login/dev", json=asked) as response,
        ):
            body = await response.json()
            if response.status != 200:
                raise RelayRefusalError(body["code"], response.status, body["detail"])
            return str(body["token"])

    def hello(self, challenge: Challenge, url: str, token: str | None) -> Hello:
        """Answer a challenge; every proof uses the next counter."""
        self.counter += 1
        proof = SessionProof(
            url=url,
            challenge=challenge.challenge,
            nonce=secrets.token_bytes(32),
            genesis=self.genesis,
            device=self.id,
            counter=self.counter,
        )
        return Hello(proof.sign(self.signing), self.chain.links, token)

    @contextlib.asynccontextmanager
    async def connected(self, url: str, *, token: str | None = None) -> "AsyncIterator[Wire]":
        """Open a session for the length of a block; raises RelayRefusalError when it does not open."""
        async with dial(url) as socket:
            wire = Wire(self, socket)
            await wire.open(url, token)
            try:
                yield wire
            finally:
                await wire.close()

    @contextlib.asynccontextmanager
    async def signed_in(self, url: str) -> "AsyncIterator[Wire]":
        """Sign in and open the first session, for the length of a block."""
        token = await self.login(url)
        async with self.connected(url, token=token) as wire:
            yield wire

    def invitation(self, to_address: str, url: str, **changes: object) -> Document:
        """Return a signed invitation of this person; `changes` replace fields of the document."""
        created_ms = now_ms()
        fields: dict[str, object] = {
            "nonce": secrets.token_bytes(16),
            "sender": Party(self.genesis, self.id, self.chain.head),
            "from_email": self.address,
            "to_email": to_address,
            "broker": url,
            "mac": MacRule.REQUIRED,
            "created_ms": created_ms,
            "expires_ms": created_ms + INVITATION_S * 1000,
            **changes,
        }
        body = InvitationDocument(**fields).encode()  # type: ignore[arg-type] # tests also pass wrong ones
        return sign_document([self.signing], payload_type(Kind.INVITATION), body)

    def envelope(
        self,
        to: "Device",
        edge: EdgeId,
        *,
        klass: EnvelopeClass = EnvelopeClass.TASK,
        digest: Digest | None = None,
        size: int = 1024,
        expires_ms: int = 0,
        content: bytes = b"",
        devices: tuple[DeviceId, ...] = (),
    ) -> bytes:
        """Return an envelope for another device with an honest header around bytes that mean nothing."""
        size = padme(size) + TAG_BYTES
        header = Header(
            klass=klass,
            digest=digest or Digest(secrets.token_bytes(32)),
            re=Digest(bytes(32)),
            from_device=self.id,
            to_genesis=to.genesis,
            edge=edge,
            created_ms=now_ms(),
            expires_ms=expires_ms,
            size=size,
            commit=bytes(32),
            devices=devices or (to.id,),
        )
        return Envelope(
            header, (bytes(WRAP_BYTES),) * len(header.devices), content.ljust(size, b"\0")
        ).encode()


def dial(url: str, **headers: str) -> connect:
    """Dial a broker's session without proxy and compression."""
    address = f"ws{url.removeprefix('http')}/v1/session"
    return connect(
        address,
        compression=None,
        max_size=MESSAGE_BYTES,
        proxy=None,
        close_timeout=2,
        additional_headers=headers,
    )


class Wire:
    """One session of a device. Envelopes and notices that come in wait in queues; nothing is acknowledged by itself."""

    def __init__(self, device: Device, socket: ClientConnection) -> None:
        self.device = device
        self.socket = socket
        self.welcome: Welcome | None = None
        self.challenge: Challenge | None = None
        self.deliveries: asyncio.Queue[Deliver] = asyncio.Queue()
        self.notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.ended: asyncio.Future[Rejected | None] = asyncio.get_running_loop().create_future()
        self._session = Session(Role.DEVICE)
        self._refs = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def open(self, url: str, token: str | None) -> None:
        """Answer the challenge and wait to be welcome; raises RelayRefusalError."""
        (challenge,) = await self._receive()
        assert isinstance(challenge, Challenge)
        self.challenge = challenge
        await self.send(self.device.hello(challenge, url, token))
        first, *more = await self._receive()
        if isinstance(first, Rejected):
            raise RelayRefusalError(first.code, first.status, first.detail)
        assert isinstance(first, Welcome)
        self.welcome = first
        for frame in more:
            self._take(frame)
        self._reader = asyncio.create_task(self._read())

    async def send(self, *frames: Frame) -> None:
        """Send frames in one message."""
        for frame in frames:
            self._session.send(frame)
        for message in encode_messages(frames):
            await self.socket.send(message)

    async def send_raw(self, *frames: Deposit | Call) -> asyncio.Future[Frame]:
        """Send requests past our own session's table; returns what will be the answer to the last of them."""
        answer = self._expect(frames[-1].ref)
        self._session.pending[frames[-1].ref] = type(frames[-1])
        await self.socket.send(b"".join(encode_messages(frames)))
        return answer

    async def deposit(self, envelope: bytes) -> None:
        """Deposit one envelope and wait until it is durable; raises RelayRefusalError."""
        await self._ask(Deposit(next(self._refs), envelope))

    async def deposit_all(self, envelopes: list[bytes]) -> None:
        """Deposit many envelopes in one message and wait until all are durable."""
        frames = [Deposit(next(self._refs), envelope) for envelope in envelopes]
        answers = [self._expect(frame.ref) for frame in frames]
        await self.send(*frames)
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*answers)

    async def call(self, op: str, **args: JSON) -> Mapping[str, JSON]:
        """Call an operation and return its answer; raises RelayRefusalError."""
        answer = await self._ask(Call(next(self._refs), op, args))
        assert isinstance(answer, Answer)
        return answer.value

    async def delivery(self) -> Deliver:
        """Return the next envelope that comes in."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.deliveries.get()

    async def ack(self, *seqs: int) -> None:
        """Acknowledge deliveries."""
        await self.send(Ack(seqs))

    async def notice(self, kind: str) -> Notice:
        """Return the next notice of this kind, dropping others before it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                notice = await self.notices.get()
                if notice.kind == kind:
                    return notice

    async def end(self) -> Rejected | None:
        """Wait until the relay ends the session; returns its last word, None without one."""
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.shield(self.ended)

    async def close(self) -> None:
        """Hang up."""
        await self.socket.close()
        if self._reader is not None:
            await self._reader

    async def vanish(self) -> None:
        """Cut the connection without a word."""
        self.socket.transport.abort()
        if self._reader is not None:
            await self._reader

    async def _ask(self, frame: Deposit | Call) -> Frame:
        answer = self._expect(frame.ref)
        await self.send(frame)
        async with asyncio.timeout(PATIENCE_S):
            return await answer

    def _expect(self, ref: int) -> asyncio.Future[Frame]:
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[ref] = answer
        return answer

    async def _receive(self) -> tuple[Frame, ...]:
        async with asyncio.timeout(PATIENCE_S):
            message = await self.socket.recv(decode=False)
        frames = decode_message(message)
        for frame in frames:
            self._session.receive(frame)
        return frames

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                assert isinstance(message, bytes)
                for frame in decode_message(message):
                    self._session.receive(frame)
                    self._take(frame)
        except ConnectionClosed:
            pass
        finally:
            if not self.ended.done():
                self.ended.set_result(None)
            for answer in self._waiting.values():
                answer.cancel()

    def _take(self, frame: Frame) -> None:
        match frame:
            case Deliver():
                self.deliveries.put_nowait(frame)
            case Notice():
                self.notices.put_nowait(frame)
            case Rejected(ref=None):
                self.ended.set_result(frame)
            case Rejected():
                refusal = RelayRefusalError(frame.code, frame.status, frame.detail)
                self._waiting.pop(frame.ref or 0).set_exception(refusal)
            case Deposited() | Answer():
                self._waiting.pop(frame.ref).set_result(frame)
            case _:
                raise AssertionError(f"unexpected {type(frame).__name__}")


async def befriend(giver: Wire, trustor: Wire, *, max_per_day: int = 10_000, expires_ms: int = 0) -> EdgeId:
    """Let `giver` invite and `trustor` accept: afterwards the one may dispatch to the other. Returns the edge."""
    url = giver.challenge.broker_url if giver.challenge else ""
    document = giver.device.invitation(trustor.device.address, url)
    invited = await giver.call(
        "invite", document=document.to_json(), to_email=trustor.device.address, emailed=False
    )
    edge = str(invited["invitation_id"])
    await trustor.call(
        "accept_invitation",
        invitation_id=edge,
        edge_id=edge,
        max_per_day=max_per_day,
        expires_ms=expires_ms,
    )
    await giver.call("confirm_edge", edge_id=edge)
    return EdgeId.from_uuid(edge)
