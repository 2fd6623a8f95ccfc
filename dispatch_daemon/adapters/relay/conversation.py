"""One session with the relay, from its challenge to its end.

Requests are numbered and answered in any order. Frames that are queued in one tick ride in one message. A delivery is
acknowledged only after it is kept, because the acknowledgement lets the relay forget it; deliveries are begun in the
order they came and kept at the same time, so that one commit can hold many.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from dispatch_daemon.adapters.relay.errors import NotYetError, RelayRejectedError, RelayUnreachableError
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.frames import (
    ACK_SEQS,
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
from dispatch_protocol.framing import decode_message, encode_frame, encode_messages
from dispatch_protocol.limits import ENVELOPE_BYTES
from dispatch_protocol.session import Role, Session, SessionState

_log = logging.getLogger(__name__)
_Reply = TypeVar("_Reply", Deposited, Answer)

KEPT_AT_ONCE: Final = 256  # deliveries being journaled; beyond that we stop reading
CLOSED_BY_US: Final = 1001
CLOSED_FOR_FAILURE: Final = 1011

OnChallenge = Callable[[Challenge], Awaitable[Hello]]
OnDeliver = Callable[[bytes], Awaitable[None]]
OnNotice = Callable[[str, Mapping[str, JSON]], None]


class Conversation:
    """One session over one connection; `converse` lives as long as it does."""

    def __init__(
        self,
        connection: ClientConnection,
        *,
        on_challenge: OnChallenge,
        on_open: Callable[[Welcome], None],
        on_deliver: OnDeliver,
        on_notice: OnNotice,
        answer_timeout_s: float,
    ) -> None:
        self._connection = connection
        self._on_challenge = on_challenge
        self._on_open = on_open
        self._on_deliver = on_deliver
        self._on_notice = on_notice
        self._answer_timeout_s = answer_timeout_s
        self._session = Session(Role.DEVICE)
        self._refs = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Deposited | Answer]] = {}
        self._queue: list[Frame] = []
        self._kept: list[int] = []
        self._keeping: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(KEPT_AT_ONCE)
        self._sending: asyncio.Task[None] | None = None
        self._failure: str | None = None

    async def converse(self) -> None:
        """Take what comes until the connection ends.

        Raises `RelayRejectedError` if the relay ended the session with a reason, `RelayUnreachableError` if the
        connection broke, `RemoteError` if the relay broke the rules.
        """
        try:
            async for message in self._connection:
                if isinstance(message, str):
                    raise MalformedError("a text message where frames belong")
                for frame in decode_message(message):
                    self._session.receive(frame)
                    await self._take(frame)
        except ConnectionClosed as error:
            raise RelayUnreachableError(self._failure or _ending(error)) from error
        if self._failure is not None:
            raise RelayUnreachableError(self._failure)

    async def deposit(self, envelope: bytes) -> None:
        """Hand over one envelope; returns once it is durable at the relay.

        Raises `RelayUnreachableError`, `RelayRejectedError`, or `LocalError` for an envelope no relay takes.
        """
        if not 0 < len(envelope) <= ENVELOPE_BYTES:
            raise LocalError("frame_too_long", f"an envelope of {len(envelope)} bytes")
        await self._request(Deposit(next(self._refs), envelope), Deposited)

    async def call(self, op: str, args: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """Ask the relay something and return its answer; raises like `deposit`."""
        frame = Call(next(self._refs), op, args)
        encode_frame(frame)  # here, so that what cannot be written fails its caller and nobody else
        return (await self._request(frame, Answer)).value

    async def close(self, drain_s: float) -> None:
        """Finish keeping and acknowledging what has arrived, for at most `drain_s`, then hang up."""
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=drain_s)
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=drain_s)
        await self._connection.close(CLOSED_BY_US)

    def abort(self) -> None:
        """Cut the connection without a word: the other end is not there any more."""
        self._connection.transport.abort()

    async def end(self, reason: str) -> None:
        """Tell everybody who waits that no answer will come, and let what is being kept be kept."""
        self._session.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(RelayUnreachableError(reason))
        self._waiting.clear()
        if self._keeping:
            await asyncio.wait(self._keeping)

    async def _take(self, frame: Frame) -> None:
        """Act on one frame that the session's table has let through."""
        match frame:
            case Challenge():
                self._send(await self._on_challenge(frame))
            case Welcome():
                self._on_open(frame)
            case Deposited() | Answer():
                self._settle(frame.ref, frame)
            case Rejected():
                refusal = RelayRejectedError(frame.code, frame.status, frame.detail)
                if frame.ref is None:
                    raise refusal
                self._settle(frame.ref, refusal)
            case Deliver():
                await self._room.acquire()
                task = asyncio.create_task(self._keep(frame), name="relay-delivery")
                self._keeping.add(task)
                task.add_done_callback(self._keeping.discard)
            case Notice():
                self._on_notice(frame.kind, frame.data)
            case _:  # pragma: no cover - the session's table lets a relay send nothing else
                raise MalformedError(f"{type(frame).__name__} from a relay")

    async def _keep(self, frame: Deliver) -> None:
        """Keep one delivery, then acknowledge it; one that cannot be kept ends the session and is offered again."""
        try:
            await self._on_deliver(frame.envelope)
        except NotYetError:
            _log.info("a delivery is left at the relay for now")
        except Exception:  # noqa: BLE001 - logged, said in the link's state, and the delivery is offered again
            _log.exception("a delivery could not be kept")
            self._failure = "a delivery could not be kept on this machine"
            await self._connection.close(CLOSED_FOR_FAILURE)
        else:
            self._kept.append(frame.seq)
            self._start_sending()
        finally:
            self._room.release()

    async def _request(self, frame: Deposit | Call, reply: type[_Reply]) -> _Reply:
        """Send a numbered request and wait for the frame that answers it."""
        future: asyncio.Future[Deposited | Answer] = asyncio.get_running_loop().create_future()
        self._send(frame)
        self._waiting[frame.ref] = future
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                answer = await future
        except TimeoutError:
            raise RelayUnreachableError(
                f"the relay did not answer within {self._answer_timeout_s:g} s"
            ) from None
        finally:
            self._waiting.pop(frame.ref, None)
        if not isinstance(answer, reply):  # pragma: no cover - the session's table pairs requests and answers
            raise MalformedError(f"{type(answer).__name__} where {reply.__name__} belongs")
        return answer

    def _settle(self, ref: int, outcome: Deposited | Answer | RelayRejectedError) -> None:
        """Wake the one who waits for this answer, if it still waits."""
        future = self._waiting.get(ref)
        if future is None or future.done():
            return
        if isinstance(outcome, RelayRejectedError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _send(self, frame: Frame) -> None:
        """Queue one frame; raises `LocalError` if the session does not allow it now."""
        self._session.send(frame)
        self._queue.append(frame)
        self._start_sending()

    def _start_sending(self) -> None:
        """Make sure somebody sends. The task starts in the next tick, and takes along what this one still queues."""
        if self._sending is None and self._session.state is not SessionState.CLOSED:
            self._sending = asyncio.create_task(self._flush(), name="relay-sender")

    async def _flush(self) -> None:
        """Send until nothing is queued; there is no task while there is nothing to send."""
        try:
            while self._session.state is not SessionState.CLOSED and (frames := self._taken()):
                for message in encode_messages(frames):
                    await self._connection.send(message)
        except ConnectionClosed:
            _log.debug("the connection ended while %d frames were queued", len(self._queue))
        finally:
            self._sending = None

    def _taken(self) -> list[Frame]:
        """Take everything that is queued, acknowledgements last."""
        frames, self._queue = self._queue, []
        kept, self._kept = self._kept, []
        for at in range(0, len(kept), ACK_SEQS):
            ack = Ack(tuple(kept[at : at + ACK_SEQS]))
            self._session.send(ack)
            frames.append(ack)
        return frames


def _ending(error: ConnectionClosed) -> str:
    """Say how a connection ended, without repeating what the other side wrote."""
    if error.rcvd is not None:
        return f"the relay hung up (code {error.rcvd.code})"
    if error.sent is not None and error.sent.code == CLOSED_FOR_FAILURE:
        return "the relay does not answer pings"
    return "the connection broke"
