"""Passing a notice to a person: the desktop's own program, or a command that they chose.

The program is started as its words, by no shell, has ten seconds and no say: what it prints is not read, and how it ends
is a line in the log. Nothing of the daemon waits for it, and nothing secret of its environment reaches it.

Where the desktop can say that its notice was pressed, that opens the page, by `dispatch ui` as a person would type it: the
notice itself holds no link, and nothing that is pressed on it decides anything.
"""

import asyncio
import contextlib
import logging
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

# What a program needs to reach its person's screen; no key and no token that stands in ours.
_PASSED: Final = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
    *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "BROWSER"),
)
DESKTOP: Final = "desktop"
OFF: Final = "off"
BELL: Final = (
    "bell"  # of a terminal in which somebody watches: `dispatch` rings it, and nobody is called from here
)
PATIENCE_S: Final = 10.0
PRESSED_S: Final = 600.0  # for so long a notice is waited for to be pressed; only ever the last one
_FAILS_S: Final = 1.0  # a notice that could not be shown is known by then
_PRESSED: Final = "default"
_OPEN: Final = (sys.executable, "-m", "dispatch_cli", "ui")
_APPLE: Final = (
    *("-e", "on run argv", "-e", 'display notification (item 1 of argv) with title "Dispatch"'),
    *("-e", "end run"),
)
log = logging.getLogger("dispatch.notices")


def notifier(
    setting: str, home: Path, *, patience_s: float = PATIENCE_S, opener: Sequence[str] = _OPEN
) -> "Notifier | None":
    """Return what tells a person, as the setting says; None if nobody is to be told, or nothing here can."""
    if setting in (OFF, BELL):
        return None
    if setting != DESKTOP:
        return Notifier(shlex.split(setting), home, told_in_words=False, patience_s=patience_s)
    found = shutil.which("notify-send")
    if found is not None:
        return Pressable(found, home, opener=opener, patience_s=patience_s)
    found = shutil.which("osascript")
    if found is not None:
        return Notifier([found, *_APPLE], home, told_in_words=True, patience_s=patience_s)
    log.warning("notify is %r, and neither notify-send nor osascript is found here", setting)
    return None


class Notifier:
    """One program that is started for each notice."""

    def __init__(self, command: Sequence[str], home: Path, *, told_in_words: bool, patience_s: float) -> None:
        self.failure: str | None = None  # why the last notice did not get through
        self._command = tuple(command)
        self._home = home
        self._told_in_words = told_in_words
        self._patience_s = patience_s

    async def tell(self, words: str, environment: Mapping[str, str]) -> None:
        """Start the program with a sentence as its last word, or with everything in its environment; never raises."""
        self.failure = await self._tried(words, environment)
        if self.failure is not None:
            log.warning("%s %s", self._command[0], self.failure)

    async def stop(self) -> None:
        """End what still waits for a person; of a command nothing does."""

    async def _tried(self, words: str, environment: Mapping[str, str]) -> str | None:
        command = (*self._command, words) if self._told_in_words else self._command
        try:
            process = await self._start(command, environment)
        except (OSError, ValueError) as error:
            return f"could not be started: {error}"
        try:
            async with asyncio.timeout(self._patience_s):
                code = await process.wait()
        except TimeoutError:
            return f"took longer than {self._patience_s:g} s and was ended"
        finally:
            await _end(process)
        return f"ended with {code}" if code else None

    async def _start(
        self, command: Sequence[str], environment: Mapping[str, str], *, heard: bool = False
    ) -> asyncio.subprocess.Process:
        """Start a program with what it needs to reach its person's screen; raises OSError or ValueError."""
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        home = {"DISPATCH_HOME": str(self._home)}  # so that it may ask this daemon, and no other
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if heard else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=passed | home | dict(environment),
            start_new_session=True,
        )


class Pressable(Notifier):
    """The desktop's notices: a press on the last one opens the page, where the desktop can tell of it."""

    def __init__(self, program: str, home: Path, *, opener: Sequence[str], patience_s: float) -> None:
        self._words = ("--app-name=Dispatch", "--", "Dispatch")
        super().__init__([program, *self._words], home, told_in_words=True, patience_s=patience_s)
        self._program = program
        self._opener = tuple(opener)
        self._can_tell: bool | None = None
        self._waiting: tuple[asyncio.Task[None], asyncio.subprocess.Process] | None = None

    async def stop(self) -> None:
        """Wait for no press any more."""
        if self._waiting is None:
            return
        waiting, shown = self._waiting
        self._waiting = None
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await _end(shown)  # the wait may not even have begun

    async def _tried(self, words: str, environment: Mapping[str, str]) -> str | None:
        await self.stop()
        if self._can_tell is None:
            self._can_tell = await self._knows_actions()
        if not self._can_tell:
            return await super()._tried(words, environment)
        command = [self._program, f"--action={_PRESSED}=Open", *self._words, words]
        try:
            shown = await self._start(command, environment, heard=True)
        except (OSError, ValueError) as error:
            return f"could not be started: {error}"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAILS_S):
                await shown.wait()
        if shown.returncode:
            return f"ended with {shown.returncode}"
        waiting = asyncio.get_running_loop().create_task(self._pressed(shown), name="notice")
        self._waiting = waiting, shown
        return None

    async def _knows_actions(self) -> bool:
        """Ask the program whether its notices can be pressed: versions before 0.8 know nothing of it."""
        try:
            asked = await self._start([self._program, "--help"], {}, heard=True)
        except (OSError, ValueError):
            return False
        try:
            async with asyncio.timeout(self._patience_s):
                said, _ = await asked.communicate()
        except TimeoutError:
            return False
        finally:
            await _end(asked)
        return b"--action" in said

    async def _pressed(self, shown: asyncio.subprocess.Process) -> None:
        """Wait until the notice is pressed or gone, and open the page if it was pressed."""
        try:
            async with asyncio.timeout(PRESSED_S):
                said, _ = await shown.communicate()
        except TimeoutError:
            return
        finally:
            await _end(shown)
        if said.strip() == _PRESSED.encode():
            await self._open()

    async def _open(self) -> None:
        try:
            opening = await self._start(self._opener, {})
        except (OSError, ValueError) as error:
            log.warning("the page could not be opened from a notice: %s", error)
            return
        try:
            async with asyncio.timeout(self._patience_s):
                await opening.wait()
        except TimeoutError:
            log.warning("the page was not open after %g s", self._patience_s)
        finally:
            await _end(opening)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a program that still runs, with everything that it has started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
