"""An agent's own program as it is spoken with: lines of JSON, read as the words of somebody hostile.

Whatever lives inside may write to its stream, its own children among it. So every line is bounded, read strictly, and
one after the other: what it says next is not looked at before what it said last has been dealt with.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.agents.agent import Session, Tools
from sandbox.errors import HelperError, SandboxError, SessionError
from sandbox.events import Ended
from sandbox.gate.pending import Pending, PendingCalls
from sandbox.oneline import one_line

Params = Mapping[str, Any]
# What a session that is taken up again is told: its last call was neither made nor refused, and nobody else will make it.
GO_ON = """Nobody was there to answer your last call, so it was not made, and the work was set aside. Somebody is here now.
Go on with the task where you were: make that call again if it is still needed."""


@dataclass(frozen=True, slots=True)
class Left:
    """Where an agent's own program was when its run was set aside: its session, by its own name, and its calls so far."""

    session_id: str
    calls: int = 0

    def write(self) -> dict[str, object]:
        """Return it as plain JSON."""
        return {"session_id": self.session_id, "calls": self.calls}


def read_left(session: Session) -> Left:
    """Return where a program was.

    Raises:
        SessionError: It is no session of an agent with a program of its own.
    """
    name, calls = session.get("session_id"), session.get("calls")
    if not isinstance(name, str) or not name or isinstance(calls, bool) or not isinstance(calls, int):
        raise SessionError("it names no session of such an agent")
    return Left(name, calls)


class Peer(Protocol):
    """The agent's streams."""

    def tell(self, line: bytes) -> None: ...

    async def hear(self, timeout_s: float | None) -> bytes | None: ...

    @property
    def complaint(self) -> str: ...


class Home(Tools, Protocol):
    """What an agent's own program needs of a box: its tools, and why it is no longer alive."""

    def check_alive(self) -> None: ...


class AgentGoneError(Exception):
    """The agent's program has ended."""


class HaltedError(Exception):
    """The run was told to stop while the agent worked."""


class Ears:
    """What a session listens to: its agent, whether the run is to stop, and calls of tools outside, which `decide` is given.

    Between two messages such calls are decided one after the other, and no message is lost meanwhile.
    """

    def __init__(
        self,
        peer: Peer,
        halted: asyncio.Event,
        calls: PendingCalls,
        decide: Callable[[Pending], Awaitable[None]],
    ) -> None:
        self._peer = peer
        self._halted = halted
        self._calls = calls
        self._decide = decide
        self._hearing: asyncio.Future[bytes | None] | None = None

    def tell(self, line: bytes) -> None:
        """Say one line to the agent; raises HelperError, `agent_deaf`."""
        self._peer.tell(line)

    async def hear(self) -> Params:
        """Wait for one message.

        Raises:
            AgentGoneError: It ended.
            HaltedError: The run was told to stop.
            HelperError: `agent_garbled`.
        """
        while True:
            hearing = self._hearing = self._hearing or asyncio.ensure_future(self._peer.hear(None))
            besides: list[asyncio.Future[Any]] = [
                asyncio.ensure_future(self._halted.wait()),
                asyncio.ensure_future(self._calls.come()),
            ]
            try:
                await asyncio.wait([hearing, *besides], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in besides:
                    each.cancel()
            if self._halted.is_set():
                raise HaltedError
            if hearing.done():
                self._hearing = None
                line = hearing.result()
                if line is None:
                    raise AgentGoneError
                return _read(line)
            if (waiting := self._calls.take()) is not None:
                await self._decide(waiting)

    async def close(self) -> None:
        """Listen no more."""
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait([self._hearing])


def _read(line: bytes) -> Params:
    try:
        value = json.loads(line.decode(), parse_constant=_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise garbled("it sent no JSON") from None
    if not isinstance(value, dict):
        raise garbled("it sent no message")
    return value


def _constant(_name: str) -> None:
    raise ValueError("no number")


def shown(said: object, most: int = 300) -> str:
    """Return an agent's words on one bounded line that hides nothing from a terminal."""
    return one_line(said if isinstance(said, str) else json.dumps(said), most)


def garbled(why: str) -> SandboxError:
    """Return the error of an agent that does not speak as its protocol says."""
    return HelperError("agent_garbled", f"The agent does not speak its protocol: {why}.")


def gone(peer: Peer, box: Home) -> Ended:
    """Say why an agent's program is no longer there: the box may have ended it."""
    try:
        box.check_alive()
    except SandboxError as error:
        return Ended("failed", error.code, error.detail)
    why = f": {peer.complaint[-500:]}" if peer.complaint else ""
    return Ended("failed", "agent_ended", f"the agent's program ended before its task did{why}")
