"""The link: it keeps one session with the relay going, through broken networks, sleep and refusals.

A lost session is dialled again after a random pause that grows (full jitter), so that a relay that comes back is not
met by everybody at once. A refusal is not a broken network: it is shown as what it is, tried again slowly, and never
again without a reason if trying cannot help. Whoever deposits while there is no session is told so at once; what waits,
waits in the journal and not here.
"""

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from websockets.asyncio.client import ClientConnection

from dispatch_daemon.adapters.relay.conversation import Conversation, OnDeliver, OnNotice
from dispatch_daemon.adapters.relay.dial import DIAL_ERRORS, dial, read_address, why
from dispatch_daemon.adapters.relay.errors import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.adapters.relay.sleep import LOOK_S, seconds_with_sleep, watch_sleep
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import DispatchError, RemoteError
from dispatch_protocol.frames import Challenge, Hello, Welcome

_log = logging.getLogger(__name__)

# Dialling again cannot help: somebody has to do something first, and then calls `wake`.
HOPELESS: Final = frozenset(
    {"counter_reused", "device_revoked", "genesis_mismatch", "pair_needed", "chain_forked"}
)

Prove = Callable[[bytes, str], Awaitable[Hello]]


class LinkPhase(StrEnum):
    """Where the link is."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    ONLINE = "online"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """Where the link is, in words for people, and since when.

    `code` is the relay's word for a refusal; `epoch` names the relay's storage (a new one asks for resubmission);
    `skew_ms` is how far the relay's clock is ahead of ours, which decides nothing and explains much.
    """

    phase: LinkPhase
    words: str
    since_ms: int
    code: str | None = None
    epoch: str | None = None
    skew_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How patient the link is, in seconds."""

    first_pause_s: float = 0.2
    longest_pause_s: float = 30.0
    handshake_s: float = 15.0
    answer_s: float = 30.0
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0
    steady_s: float = 10.0  # a session that lasted so long forgives the failures before it
    drain_s: float = 5.0
    look_s: float = LOOK_S
    clock: Callable[[], float] = field(default=seconds_with_sleep)  # runs through sleep


class RelayLink:
    """Keeps a session with one relay; `run` is its life, everything else may be called at any time.

    `prove` gets the challenge and the address that was dialled, and returns the signed hello; `on_deliver` returns once an envelope is journaled, and only then
    is it acknowledged; `on_notice` and `on_state` are told and must not wait. `token` is the relay's latest.
    """

    def __init__(
        self,
        url: str,
        *,
        prove: Prove,
        on_deliver: OnDeliver,
        on_notice: OnNotice,
        on_state: Callable[[LinkState], None],
        ca_bundle: str | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Prepare a link to the broker at `url` (http or https); raises `LocalError` for an address that is none."""
        self._address = read_address(url)
        self._prove = prove
        self._on_deliver = on_deliver
        self._on_notice = on_notice
        self._on_state = on_state
        self._ca_bundle = ca_bundle
        self._timing = timing or Timing()
        self._woken = asyncio.Event()
        self._conversation: Conversation | None = None
        self._deadline: asyncio.Timeout | None = None
        self._opened_at: float | None = None
        self._failures = 0
        self._closing = False
        self._running = False
        self._ended = asyncio.Event()
        self.token: str | None = None
        self.state = LinkState(phase=LinkPhase.OFFLINE, words="not dialled yet", since_ms=_now_ms())

    @property
    def url(self) -> str:
        """The relay's address in its one spelling, as it is dialled and as proofs name it."""
        return self._address.url

    async def run(self) -> None:
        """Keep a session going until `aclose`."""
        timing = self._timing
        self._running = True
        sleeping = asyncio.create_task(
            watch_sleep(self._slept, clock=timing.clock, look_s=timing.look_s), name="relay-sleep"
        )
        try:
            while not self._closing:
                self._woken.clear()
                await self._pause(await self._attempt())
        finally:
            sleeping.cancel()
            await asyncio.gather(sleeping, return_exceptions=True)
            self._say(LinkPhase.OFFLINE, "closed")
            self._ended.set()

    async def aclose(self) -> None:
        """Acknowledge what has been kept, hang up, and wait for `run` to return."""
        self._closing = True
        self._woken.set()
        if self._conversation is not None:
            await self._conversation.close(self._timing.drain_s)
        else:
            self._move_deadline(asyncio.get_running_loop().time())
        if self._running:
            await self._ended.wait()

    def wake(self) -> None:
        """Dial at once if there is no session: something has changed that may let it succeed."""
        self._failures = 0
        self._woken.set()

    async def deposit(self, envelope: bytes) -> None:
        """Hand one envelope to the relay; returns once it is durable there.

        Raises `RelayUnreachableError` (ask again later: the relay keeps a repeated one once), `RelayRejectedError`, or
        `LocalError` for an envelope that no relay takes.
        """
        await self._open_conversation().deposit(envelope)

    async def call(self, op: str, args: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """Ask the relay about invitations, edges, chains or tokens; raises like `deposit`."""
        return await self._open_conversation().call(op, args)

    def _move_deadline(self, when: float | None) -> None:
        """Move the handshake's deadline, if there is one and it has not passed."""
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(when)

    def _open_conversation(self) -> Conversation:
        if self._conversation is None:
            raise RelayUnreachableError(f"no session with {self.url}: {self.state.words}")
        return self._conversation

    async def _attempt(self) -> float | None:
        """Dial, converse until the end, say how it ended, and return how long to pause: None is until woken."""
        self._say(LinkPhase.CONNECTING, f"dialling {self.url}")
        self._opened_at = None
        try:
            await self._converse()
            words = "the relay hung up"
        except RelayRejectedError as error:
            if error.status < 500:
                return self._refused(error.code, f"the relay refused: {error.detail or error.code}")
            words = f"the relay is not available: {error.detail or error.code}"
        except RelayUnreachableError as error:
            words = error.detail
        except RemoteError as error:
            words = f"what answers there breaks the rules of a session ({error.code})"
        except DispatchError as error:
            return self._refused(error.code, error.detail)
        except DIAL_ERRORS as error:
            words = why(error)
        self._say(LinkPhase.OFFLINE, words)
        return self._growing_pause()

    async def _converse(self) -> None:
        """Hold one session from dialling to its end; until it is open, the handshake's deadline counts."""
        timing = self._timing
        async with asyncio.timeout(timing.handshake_s) as deadline:
            self._deadline = deadline
            try:
                async with dial(
                    self._address,
                    ca_bundle=self._ca_bundle,
                    ping_interval_s=timing.ping_interval_s,
                    ping_timeout_s=timing.ping_timeout_s,
                ) as connection:
                    await self._converse_over(connection)
            finally:
                self._deadline = None

    async def _converse_over(self, connection: ClientConnection) -> None:
        """Hold one session over a connection; whoever still waits when it ends is told."""
        conversation = Conversation(
            connection,
            on_challenge=self._challenged,
            on_open=lambda welcome: self._opened(conversation, welcome),
            on_deliver=self._on_deliver,
            on_notice=self._on_notice,
            answer_timeout_s=self._timing.answer_s,
        )
        try:
            await conversation.converse()
        finally:
            self._conversation = None
            await conversation.end("the session with the relay ended before it answered")

    async def _challenged(self, challenge: Challenge) -> Hello:
        """Prove who we are to the address that we dialled, whatever the other side calls itself."""
        if challenge.broker_url != self.url:
            _log.info("the relay dialled as %s calls itself by another address", self.url)
        return await self._prove(challenge.challenge, self.url)

    def _opened(self, conversation: Conversation, welcome: Welcome) -> None:
        """Let requests through from now on."""
        self._move_deadline(None)
        self._conversation = conversation
        self._opened_at = asyncio.get_running_loop().time()
        self.token = welcome.token
        skew_ms = welcome.time_ms - _now_ms()
        self._say(LinkPhase.ONLINE, f"connected to {self.url}", epoch=welcome.epoch, skew_ms=skew_ms)

    def _slept(self) -> None:
        """Dial anew at once: whatever connection there was did not survive the sleep."""
        _log.info("the machine slept; dialling the relay anew")
        self.wake()
        if self._conversation is not None:
            self._conversation.abort()

    def _refused(self, code: str, words: str) -> float | None:
        """Show a refusal as what it is; try again slowly, or only when woken if trying cannot help."""
        self._say(LinkPhase.REFUSED, words, code=code)
        return None if code in HOPELESS else self._timing.longest_pause_s * (1 + _chance()) / 2

    def _growing_pause(self) -> float:
        """Return a random pause below a ceiling that doubles with every failure in a row."""
        steady = self._opened_at is not None and (
            asyncio.get_running_loop().time() - self._opened_at >= self._timing.steady_s
        )
        self._failures = 0 if steady else min(self._failures + 1, 16)
        ceiling = min(math.ldexp(self._timing.first_pause_s, self._failures), self._timing.longest_pause_s)
        return ceiling * _chance()

    async def _pause(self, pause_s: float | None) -> None:
        """Wait, but not longer than somebody has a reason to dial."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._woken.wait()

    def _say(
        self,
        phase: LinkPhase,
        words: str,
        *,
        code: str | None = None,
        epoch: str | None = None,
        skew_ms: int | None = None,
    ) -> None:
        """Change the state and tell whoever shows it."""
        self.state = LinkState(
            phase=phase, words=words, since_ms=_now_ms(), code=code, epoch=epoch, skew_ms=skew_ms
        )
        _log.info("relay %s: %s", phase, words)
        self._on_state(self.state)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _chance() -> float:
    """Return a number in [0, 1) that nobody else's daemon draws at the same time."""
    return secrets.randbelow(1 << 32) / (1 << 32)
