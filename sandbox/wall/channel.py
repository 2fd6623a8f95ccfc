"""Two pipes to a process that may not be believed: lines go in, lines of bounded length come out.

Reading is bounded in time and in size before anything is parsed. The class knows nothing of what the lines
mean.
"""

import asyncio
import os
from typing import Self

from sandbox.errors import HelperError

_SHORT_BYTES = 4096


class ChannelClosedError(Exception):
    """The other side is gone."""


class Channel:
    """One conversation; `open` it in a running event loop and `close` it."""

    def __init__(
        self, reader: asyncio.StreamReader, inward: asyncio.WriteTransport, outward: asyncio.ReadTransport
    ):
        self._reader = reader
        self._inward = inward
        self._outward = outward

    @classmethod
    async def open(cls, read_fd: int, write_fd: int, longest_line: int) -> Self:
        """Take over both descriptors."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=longest_line)
        outward, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", buffering=0)
        )
        inward, _ = await loop.connect_write_pipe(
            asyncio.BaseProtocol, os.fdopen(write_fd, "wb", buffering=0)
        )
        return cls(reader, inward, outward)

    def tell(self, line: bytes) -> None:
        """Send one line; a broken pipe is noticed at the next answer."""
        self._inward.write(line)

    @property
    def unread_bytes(self) -> int:
        """What was told and not yet read by the other side."""
        return self._inward.get_write_buffer_size()

    async def hear(self, timeout_s: float | None) -> bytes:
        """Wait for one line.

        Raises:
            ChannelClosedError: The other side closed, perhaps in the middle of a line.
            HelperError: The line is too long.
            TimeoutError: Nothing came in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            raise ChannelClosedError from None
        except asyncio.LimitOverrunError:
            raise HelperError(
                "helper_untrusted",
                "The helper inside sent a line longer than any reply.",
                "Discard this run.",
            ) from None

    async def ask(self, line: bytes, timeout_s: float) -> bytes:
        """Send one line and wait for one.

        Raises:
            HelperError: As `hear`; also when something was said before anything was asked.
            ChannelClosedError: As `hear`.
            TimeoutError: As `hear`.
        """
        self.tell(line)
        return await self.hear(timeout_s)

    def close(self) -> None:
        """Let go; what was not sent yet is dropped. A transport whose peer went has closed by itself."""
        if not self._inward.is_closing():
            self._inward.abort()
        self._outward.close()


async def read_until(read_fd: int, mark: bytes, timeout_s: float) -> bytes:
    """Take over a pipe, read up to and including `mark`, or to its end, and close it.

    Raises:
        TimeoutError: Neither came in time.
    """
    reader = asyncio.StreamReader(limit=_SHORT_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(timeout_s):
            return await reader.readuntil(mark)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""
    finally:
        transport.close()
