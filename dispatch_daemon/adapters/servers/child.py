"""One tool server's process: lines in, lines of bounded length out, and an end that leaves none of its children.

It is started by a keeper (`keeper`), and is held by a pipe: when this side lets go of it, or is gone itself, the keeper ends
the server and everything that it has started.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

LINE_BYTES: Final = 8 * 1024 * 1024
COMPLAINT_BYTES: Final = 4096
GRACE_S: Final = 1.0  # for a server that ends by itself once nobody speaks to it any more
_ENDS_S: Final = 10.0  # what the kernel does not end in this time is not waited for
_KEEPER: Final = str(Path(__file__).with_name("keeper.py"))


class LineTooLongError(Exception):
    """The server said a line that is longer than any answer."""


class Child:
    """A started server. Made by `start`, ended by `end`, whatever happens in between."""

    def __init__(self, process: asyncio.subprocess.Process, lifeline: int) -> None:
        self._process = process
        self._lifeline: int | None = lifeline
        self._kept = bytearray()
        self._complaining = asyncio.create_task(self._listen(), name="complaints of a tool server")

    @classmethod
    async def start(cls, argv: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Start it in its owner's home directory, in a session of its own.

        Raises:
            OSError: No process could be made.
        """
        held, lifeline = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", _KEEPER, str(held), *argv),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=Path.home(),
                env=dict(environment),
                pass_fds=(held,),
                start_new_session=True,
                limit=LINE_BYTES,
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(held)
        return cls(process, lifeline)

    async def tell(self, line: bytes) -> None:
        """Send one line, and wait while the server leaves much unread.

        Raises:
            OSError: It reads no more.
        """
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.write(line)
        await self._process.stdin.drain()

    async def hear(self) -> bytes | None:
        """Wait for one line; None once it says no more.

        Raises:
            LineTooLongError: More than `LINE_BYTES` without an end.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            return await self._process.stdout.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            raise LineTooLongError from None

    @property
    def complaint(self) -> str:
        """The end of what it wrote to standard error, as it wrote it."""
        return self._kept.decode("utf-8", "replace")

    async def end(self, grace_s: float = GRACE_S) -> None:
        """Let it end by itself for a moment, then end it and all that it has started; safe to call again."""
        if self._lifeline is None:
            return
        lifeline, self._lifeline = self._lifeline, None
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
            if grace_s:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), grace_s)
        finally:
            os.close(lifeline)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _ENDS_S)
            self._complaining.cancel()

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was started with a pipe
        while piece := await self._process.stderr.read(65_536):
            self._kept += piece
            del self._kept[:-COMPLAINT_BYTES]
