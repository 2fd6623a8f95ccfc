"""Passing a notice to a person: the desktop's own program, or a command that they chose.

The program is started as its words, by no shell, has ten seconds and no say: what it prints is not read, and how it ends
is a line in the log. Nothing of the daemon waits for it, and nothing secret of its environment reaches it.
"""

import asyncio
import contextlib
import logging
import os
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

# What a program needs to reach its person's screen; no key and no token that stands in ours.
_PASSED: Final = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
    *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
DESKTOP: Final = "desktop"
OFF: Final = "off"
BELL: Final = (
    "bell"  # of a terminal in which somebody watches: `dispatch` rings it, and nobody is called from here
)
PATIENCE_S: Final = 10.0
_APPLE: Final = (
    *("-e", "on run argv", "-e", 'display notification (item 1 of argv) with title "Dispatch"'),
    *("-e", "end run"),
)
log = logging.getLogger("dispatch.notices")


def notifier(setting: str, home: Path, *, patience_s: float = PATIENCE_S) -> "Notifier | None":
    """Return what tells a person, as the setting says; None if nobody is to be told, or nothing here can."""
    if setting in (OFF, BELL):
        return None
    if setting != DESKTOP:
        return Notifier(shlex.split(setting), home, told_in_words=False, patience_s=patience_s)
    for program, options in (
        ("notify-send", ("--app-name=Dispatch", "--", "Dispatch")),
        ("osascript", _APPLE),
    ):
        found = shutil.which(program)
        if found is not None:
            return Notifier([found, *options], home, told_in_words=True, patience_s=patience_s)
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

    async def _tried(self, words: str, environment: Mapping[str, str]) -> str | None:
        command = (*self._command, words) if self._told_in_words else self._command
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        home = {"DISPATCH_HOME": str(self._home)}  # so that it may ask this daemon, and no other
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=passed | home | dict(environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return f"could not be started: {error}"
        try:
            async with asyncio.timeout(self._patience_s):
                code = await process.wait()
        except TimeoutError:
            return f"took longer than {self._patience_s:g} s and was ended"
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return f"ended with {code}" if code else None
