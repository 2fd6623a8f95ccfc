"""One device's session: it proves its key, then deposits, calls and acknowledges; the mailbox comes the other way.

Every frame passes the session's table before anything is done about it, and whatever breaks a rule ends this session
with a word of why, and no other. Nobody waits here for the disk: what a frame asks for is written at once, and its
answer is sent when the group commit has happened.
"""

import asyncio
import logging
import struct

from aiohttp import WSCloseCode, WSMsgType, web

from dispatch_broker.adapters import calls, deposits
from dispatch_broker.adapters.calls import Caller
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.log import say, short
from dispatch_broker.adapters.outbox import Outbox
from dispatch_broker.adapters.performer import perform
from dispatch_broker.adapters.store_sqlite import StoreError
from dispatch_broker.core.counts import OK
from dispatch_broker.core.effects import Topic
from dispatch_broker.core.mailbox import Load, Parcel
from dispatch_broker.core.quota import Rate, Throttle
from dispatch_broker.core.records import Account
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.errors import MalformedError, RemoteError
from dispatch_protocol.frames import Ack, Answer, Call, Deposit, Deposited, Frame, Notice, Rejected
from dispatch_protocol.framing import decode_message
from dispatch_protocol.keys import DeviceId, Genesis
from dispatch_protocol.session import Session

MESSAGE_FRAMES = 2_048
BINARY_ONLY = Refusal(BrokerCode.MALFORMED, "frames are binary")
_TURN_FRAMES = 64  # handled without looking up
UNAVAILABLE = Refusal(BrokerCode.UNAVAILABLE, "the broker cannot store anything now; nothing was done")
_TOO_MANY_CALLS = Refusal(BrokerCode.RATE_LIMITED, "too many calls; wait a moment")
_REPLACED = Refusal(BrokerCode.REPLACED, "this device has opened a newer session")
_REVOKED = Refusal(BrokerCode.DEVICE_REVOKED, "this device was revoked by another one of its identity")
_GOODBYE_S = 2.0
_GRUMBLES = Rate(20, 10_000)  # refusals of one session that are logged
_LENGTH = struct.Struct(">I")

_log = logging.getLogger(__name__)


def rejected(ref: int | None, refusal: Refusal) -> Rejected:
    """Put a refusal into a frame."""
    return Rejected(ref, refusal.code.value, refusal.status, refusal.detail)


def read_message(data: bytes) -> tuple[Frame, ...]:
    """Read the frames of one message, but not more than one turn of the event loop should carry.

    Raises:
        MalformedError: too many frames, or any of them cannot be read.
    """
    at = count = 0
    while at + _LENGTH.size <= len(data):
        at += _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
        count += 1
    if count > MESSAGE_FRAMES:
        raise MalformedError(f"a message of {count} frames; at most {MESSAGE_FRAMES} are read")
    return decode_message(data)


class Connection:
    """An open session; the bus knows it as a member."""

    def __init__(
        self,
        context: Context,
        socket: web.WebSocketResponse,
        session: Session,
        account: Account,
        device: DeviceId,
    ) -> None:
        self.account = account
        self.device = device
        self._context = context
        self._socket = socket
        self._session = session
        self._frames = Throttle(context.settings.quotas.frames)
        self._calls = Throttle(context.settings.quotas.calls)
        self._grumbles = Throttle(_GRUMBLES)
        self._goodbye: asyncio.Task[None] | None = None
        self.outbox = Outbox(
            socket,
            session,
            context.settings.quotas,
            read=self._read,
            lost=self._lost,
        )

    # What the bus says.

    def wake(self) -> None:
        """Look into the mailbox."""
        self.outbox.wake()

    def tell(self, topic: Topic) -> None:
        """Pass on that something changed."""
        self.outbox.tell(topic)

    def show(self, genesis: Genesis, *, online: bool) -> None:
        """Pass on that somebody came or went."""
        self.outbox.show(genesis, online=online)

    def grown(self, genesis: Genesis) -> None:
        """Pass on that a contact's chain has become another."""
        self.outbox.grown(genesis)

    def replace(self) -> None:
        """Close, because the same device has opened a newer session."""
        self._end(rejected(None, _REPLACED), WSCloseCode.POLICY_VIOLATION)

    def revoke(self) -> None:
        """Close, because the device is not active in its identity's chain any more."""
        self._end(rejected(None, _REVOKED), WSCloseCode.POLICY_VIOLATION)

    def dismiss(self, refusal: Refusal) -> None:
        """Close, because the operator or the person ended this."""
        self._end(rejected(None, refusal), WSCloseCode.POLICY_VIOLATION)

    def drain(self) -> None:
        """Say that the broker is about to stop, send what is finished, and close."""
        self.outbox.put(Notice("drain", {}))
        self._hang_up(WSCloseCode.SERVICE_RESTART)

    # What the device says.

    async def serve(self) -> None:
        """Read and answer until either side ends it."""
        try:
            await self._listen()
        finally:
            await self._farewell()

    async def _listen(self) -> None:
        while (message := await self._socket.receive()).type is WSMsgType.BINARY:
            try:
                await self._handle_all(read_message(message.data))
            except RemoteError as error:
                say(_log, "session_broken", device=short(self.device), code=error.code)
                self._context.counts.broken[error.code] += 1
                self._end(Rejected(None, error.code, 400, error.detail), WSCloseCode.POLICY_VIOLATION)
                return
        if message.type is WSMsgType.TEXT:
            self._end(rejected(None, BINARY_ONLY), WSCloseCode.UNSUPPORTED_DATA)

    async def _handle_all(self, frames: tuple[Frame, ...]) -> None:
        """Handle the frames of one message, letting others have their turn in between."""
        for number, frame in enumerate(frames, start=1):
            self._session.receive(frame)
            self._handle(frame)
            if number % _TURN_FRAMES == 0:
                await asyncio.sleep(0)
        await self._pace(len(frames))

    def _handle(self, frame: Frame) -> None:
        match frame:
            case Deposit():
                self._deposit(frame)
            case Ack():
                self._acknowledge(frame)
            case Call():
                self._call(frame)
            case _:  # the session's table lets nothing else through while it is open
                raise AssertionError(f"unexpected {type(frame).__name__}")

    def _deposit(self, frame: Deposit) -> None:
        decision = deposits.receive(self._context, self.account, self.device, frame.envelope)
        if isinstance(decision, Refusal):
            self._refuse(frame, decision)
            return
        answer = Deposited(frame.ref)
        perform(self._context, decision, lambda durable: self._answer(frame, answer, durable=durable))

    def _acknowledge(self, frame: Ack) -> None:
        done = self.outbox.acknowledged(frame.seqs)
        try:
            self._context.store.forget(self.device, done)
        except StoreError:
            say(_log, "acknowledgement_lost", logging.WARNING, device=short(self.device))
        else:
            self._context.counts.acknowledged += len(done)

    def _call(self, frame: Call) -> None:
        if not self._calls.take(self._context.ticks()):
            self._refuse(frame, _TOO_MANY_CALLS)
            return
        decision = calls.answer(self._context, Caller(self.account, self.device), frame.op, frame.args)
        if isinstance(decision, Refusal):
            self._refuse(frame, decision)
            return
        effects, value = decision
        answer = Answer(frame.ref, value)
        perform(self._context, effects, lambda durable: self._answer(frame, answer, durable=durable))

    def _refuse(self, frame: Deposit | Call, refusal: Refusal) -> None:
        """Say no, and note it in the log as long as this device does not make a habit of it."""
        self.outbox.put(rejected(frame.ref, refusal))
        self._count(frame, refusal.code)
        if self._grumbles.take(self._context.ticks()):
            say(
                _log,
                "refused",
                device=short(self.device),
                kind=type(frame).__name__.lower(),
                code=refusal.code,
            )

    def _answer(self, frame: Deposit | Call, answer: Deposited | Answer, *, durable: bool) -> None:
        self.outbox.put(answer if durable else rejected(answer.ref, UNAVAILABLE))
        self._count(frame, OK if durable else UNAVAILABLE.code)

    def _count(self, frame: Deposit | Call, code: str) -> None:
        counts = self._context.counts
        if isinstance(frame, Deposit):
            counts.deposits[code] += 1
        else:
            counts.calls[frame.op if frame.op in calls.OPERATIONS else "unknown", code] += 1

    def _read(self, load: Load) -> list[tuple[Parcel, bytes]]:
        """Read the mailbox for the outbox, which sends what it gets."""
        parcels = self._context.store.waiting(self.device, load)
        self._context.counts.deliveries += len(parcels)
        self._context.counts.delivered_bytes += sum(parcel.size_bytes for parcel, _ in parcels)
        return parcels

    async def _pace(self, frames: int) -> None:
        """Hold this device to its rate, and stop reading while it does not read its answers."""
        delay_ms = self._frames.delay_ms(self._context.ticks(), frames)
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        await self.outbox.room()

    # The end.

    def _end(self, last_word: Rejected, close: WSCloseCode) -> None:
        self.outbox.put(last_word)
        self._hang_up(close)

    def _hang_up(self, close: WSCloseCode) -> None:
        """Close once everything that was said has been sent, or a little later in any case."""
        if self._goodbye is None:
            self._goodbye = asyncio.get_running_loop().create_task(self._say_goodbye(close))

    async def _say_goodbye(self, close: WSCloseCode) -> None:
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self.outbox.empty()
        except TimeoutError:
            say(_log, "goodbye_unread", device=short(self.device))
        await self._socket.close(code=close)

    def _lost(self, error: ConnectionError | StoreError) -> None:
        """Note why nothing more can be sent; a socket that is gone, the reader notices by itself."""
        say(_log, "sending_stopped", device=short(self.device), error=type(error).__name__)
        if isinstance(error, StoreError):
            self._hang_up(WSCloseCode.TRY_AGAIN_LATER)

    async def _farewell(self) -> None:
        if self._goodbye is not None:
            await self._goodbye
        self._session.close()
        await self.outbox.stop()
