"""An agent inside as its caller outside sees it: bounded lines in, bounded lines out, the end of what it complained.

Everything it says is hostile until proven otherwise: a line has a greatest length, all of them together have one, and an
agent that does not read what it is told cannot make this side keep it for ever.
"""

import asyncio
import os
from typing import Self

from sandbox.errors import HelperError
from sandbox.oneline import one_line
from sandbox.wall.channel import Channel, ChannelClosedError

LINE_BYTES = 16 * 1024 * 1024
SAID_BYTES = 512 * 1024 * 1024
UNREAD_BYTES = 32 * 1024 * 1024
_COMPLAINT_BYTES = 4096


class Resident:
    """An agent's program that lives inside."""

    def __init__(self, channel: Channel, complaint: "_Tail", errors: asyncio.ReadTransport) -> None:
        self._channel = channel
        self._complaint = complaint
        self._errors = errors
        self._said_bytes = 0

    @classmethod
    async def open(cls, said: int, told: int, errors: int) -> Self:
        """Take over the launcher's ends of the agent's standard streams."""
        channel = await Channel.open(said, told, LINE_BYTES)
        transport, complaint = await asyncio.get_running_loop().connect_read_pipe(
            _Tail, os.fdopen(errors, "rb", buffering=0)
        )
        return cls(channel, complaint, transport)

    def tell(self, line: bytes) -> None:
        """Send one line.

        Raises:
            HelperError: `agent_deaf`: it has left too much unread.
        """
        self._channel.tell(line)
        if self._channel.unread_bytes > UNREAD_BYTES:
            raise HelperError("agent_deaf", "The agent does not read what it is told.")

    async def hear(self, timeout_s: float | None) -> bytes | None:
        """Wait for one line; None at the end of the program.

        Raises:
            HelperError: `agent_garbled`: a line, or all of them together, are longer than any honest agent's.
            TimeoutError: Nothing came in time.
        """
        try:
            line = await self._channel.hear(timeout_s)
        except ChannelClosedError:
            return None
        except HelperError:
            raise HelperError("agent_garbled", "The agent sent a line longer than any message.") from None
        self._said_bytes += len(line)
        if self._said_bytes > SAID_BYTES:
            raise HelperError("agent_garbled", "The agent talked without end.")
        return line

    @property
    def complaint(self) -> str:
        """The end of what it wrote to standard error, on one line, with nothing a terminal would obey."""
        return one_line(bytes(self._complaint.kept).decode("utf-8", "replace"), _COMPLAINT_BYTES)

    def close(self) -> None:
        """Let go; safe to call again."""
        self._channel.close()
        self._errors.close()


class _Tail(asyncio.Protocol):
    """Keeps the last bytes of a stream and forgets the rest."""

    def __init__(self) -> None:
        self.kept = bytearray()

    def data_received(self, data: bytes) -> None:
        self.kept += data
        del self.kept[:-_COMPLAINT_BYTES]
