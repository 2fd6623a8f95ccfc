"""Passing a notice to a person: the desktop's own program, or a command that they chose.

The program is started as its words, by no shell, has ten seconds and no say: what it prints is not read, and how it ends
is a line in the log. Nothing of the daemon waits for it.
"""

import asyncio
import contextlib
import logging
import os
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from typing import Final

DESKTOP: Final = "desktop"
OFF: Final = "off"
PATIENCE_S: Final = 10.0
_APPLE: Final = (
    *("-e", "on run argv", "-e", 'display notification (item 1 of argv) with title "Dispatch"'),
    *("-e", "end run"),
)
log = logging.getLogger("dispatch.notices")


def notifier(setting: str, *, patience_s: float = PATIENCE_S) -> "Notifier | None":
    """Return what tells a person, as the setting says; None if nobody is to be told, or nothing here can."""
    if setting == OFF:
        return None
    if setting != DESKTOP:
        return Notifier(shlex.split(setting), told_in_words=False, patience_s=patience_s)
    for program, options in (
        ("notify-send", ("--app-name=Dispatch", "--", "Dispatch")),
        ("osascript", _APPLE),
    ):
        found = shutil.which(program)
        if found is not None:
            return Notifier([found, *options], told_in_words=True, patience_s=patience_s)
    log.warning("notify is %r, and neither notify-send nor osascript is found here", setting)
    return None


class Notifier:
    """One program that is started for each notice."""

    def __init__(self, command: Sequence[str], *, told_in_words: bool, patience_s: float) -> None:
        self._command = tuple(command)
        self._told_in_words = told_in_words
        self._patience_s = patience_s

    async def tell(self, words: str, environment: Mapping[str, str]) -> None:
        """Start the program with a sentence as its last word, or with everything in its environment; never raises."""
        command = (*self._command, words) if self._told_in_words else self._command
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=os.environ | environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            log.warning("%s could not be started: %s", self._command[0], error)
            return
        try:
            async with asyncio.timeout(self._patience_s):
                await process.wait()
        except TimeoutError:
            log.warning("%s took longer than %g s and was ended", self._command[0], self._patience_s)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            log.warning("%s ended with %d", self._command[0], process.returncode)
