"""A handle on the processes of one run: ending them, and knowing that they have ended.

The launcher's child is the stage, which has become bubblewrap; below it stands process 1 of the run's pid
namespace. Killing process 1 is what ends a run: the kernel then kills everything in the namespace and lets
process 1 end only when nothing is left, and bubblewrap leaves after it. Both are held by pidfd, so no recycled
number is ever signalled, and both must have ended before anything the run wrote is looked at.
"""

import asyncio
import contextlib
import os
import signal
import subprocess

_PATIENCE_S = 10.0
_MAX_WORDS_BYTES = 16384


class Jail:
    """The processes of one run."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: int) -> None:
        """Take over the process and the reading end of its standard error, in a running event loop."""
        self._process = process
        self._errors = errors
        self._outer = os.pidfd_open(process.pid)
        self._first: int | None = None
        self._gone = asyncio.Event()
        self._alive: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._await(self._outer)

    def found_first(self, number: int) -> None:
        """Take hold of process 1, by its number outside.

        Raises:
            ProcessLookupError: It is gone already.
        """
        self._first = os.pidfd_open(number)
        self._await(self._first)

    @property
    def ended(self) -> bool:
        """Whether bubblewrap and process 1, and so everything inside, are gone."""
        return self._gone.is_set()

    @property
    def exit_status(self) -> int | None:
        return self._process.poll()

    async def kill(self) -> None:
        """End everything and wait until nothing is left."""
        if self._first is not None:
            _signal(self._first)
        else:
            _signal(self._outer)
        if not await self.wait(_PATIENCE_S):
            _signal(self._outer)
            await self.wait(_PATIENCE_S)

    async def wait(self, timeout_s: float | None) -> bool:
        """Wait for the end; return whether it came in time. Any number of tasks may wait."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._gone.wait()
        except TimeoutError:
            return False
        self._process.wait()
        return True

    def _await(self, pidfd: int) -> None:
        self._gone.clear()
        self._alive.add(pidfd)
        self._loop.add_reader(pidfd, self._notice, pidfd)

    def _notice(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        self._alive.discard(pidfd)
        if not self._alive:
            self._gone.set()

    def last_words(self) -> str:
        """Read what was written to standard error; ours and bubblewrap's words, no tool's."""
        os.set_blocking(self._errors, False)
        try:
            return os.read(self._errors, _MAX_WORDS_BYTES).decode("utf-8", "replace")
        except BlockingIOError:
            return ""

    def close(self) -> None:
        """Let go of processes that have ended."""
        for pidfd in self._alive:
            self._loop.remove_reader(pidfd)
        os.close(self._outer)
        os.close(self._errors)
        if self._first is not None:
            os.close(self._first)
            self._first = None


def _signal(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
