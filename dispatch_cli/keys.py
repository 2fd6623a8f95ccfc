"""Single keys from the terminal, for as long as a run is being watched.

What was typed before a question appeared can never answer it: pending input is thrown away first. The
terminal is given back as it was found, also when the process is told to end.
"""

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable
from types import FrameType
from typing import Self

ESCAPE = "\x1b"
ENTER = "\n"
LEAVE = "\x04"  # Ctrl-D: the person goes, without an answer
_ENTER_WITH_KEY_S = 0.5
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Keys:
    """The terminal in a mode where each key comes at once and is not echoed; Ctrl-C stays Ctrl-C."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._descriptor)
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._last_letter_s = 0.0

    def __enter__(self) -> Self:
        """Take the terminal."""
        for number in _ENDING:
            self._handlers[number] = signal.signal(number, _end)
        self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._resume)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a key was pressed."""
        return self._descriptor

    def forget(self) -> None:
        """Throw away what was typed before now."""
        termios.tcflush(self._descriptor, termios.TCIFLUSH)

    def read(self) -> str:
        """Return the key that was pressed, in lower case, or "" for what is no key to us.

        Keys that arrive together count as their first: a pasted text is not a row of answers. An Enter
        right after a letter belongs to that letter and is no answer of its own.
        """
        if not select.select([self._descriptor], [], [], 0)[0]:
            return ""
        data = os.read(self._descriptor, 1024)
        if not data:
            return LEAVE
        key = data[:1].decode("ascii", "replace").lower()
        if key == ESCAPE:
            return ""
        if key in "\r\n":
            return "" if time.monotonic() - self._last_letter_s < _ENTER_WITH_KEY_S else ENTER
        if key.isalpha():
            self._last_letter_s = time.monotonic()
        return key

    def _resume(self, number: int, frame: FrameType | None) -> None:
        """Come back from Ctrl-Z into the same mode."""
        del number, frame
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)


def _end(number: int, frame: FrameType | None) -> None:
    """End through Python, so that the terminal is given back."""
    del frame
    sys.exit(128 + number)
