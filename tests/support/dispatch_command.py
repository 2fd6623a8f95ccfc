"""The real `dispatch` program as a test drives it: in a pipe, or on a terminal of its own."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
SCALE = float(os.environ.get("DISPATCH_TEST_TIME_SCALE", "1"))
# Ctrl-C reaches a process only through its controlling terminal, and a fork of pytest itself is no place for that.
_TAKE_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one document on standard output; anything else fails the test."""
        return json.loads(self.out)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which nothing of the machine's own settings counts."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DISPATCH_", "NO_COLOR"))
    }
    for name in ("FORCE_COLOR", "COLUMNS", "LINES"):
        kept.pop(name, None)
    path = os.pathsep.join(part for part in (more.pop("OVERLAY", ""), str(ROOT)) if part)
    return kept | {"DISPATCH_HOME": str(home), "PYTHONPATH": path, "TZ": "UTC", "LC_ALL": "C.UTF-8"} | more


def command(*arguments: str | bytes) -> list[str | bytes]:
    """Return the command line of the program."""
    return [sys.executable, "-m", "dispatch_cli", *arguments]


def dispatch(
    home: Path, *arguments: str | bytes, stdin: bytes = b"", cwd: Path | None = None, **environ: str
) -> Ended:
    """Run one command with pipes and wait for its end."""
    done = subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        env=environment(home, **environ),
        cwd=cwd or home.parent,
        timeout=40 * SCALE,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


class Terminal:
    """One command on a pseudo-terminal: `expect` what it shows, `press` keys, read how it ended."""

    def __init__(
        self, home: Path, *arguments: str, columns: int = 100, cwd: Path | None = None, **environ: str
    ) -> None:
        self.text = ""
        settings = environment(home, TERM="xterm-256color") | environ
        self._descriptor, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command(*arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=settings,
            cwd=cwd or home.parent,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._descriptor)

    @property
    def plain(self) -> str:
        """Return what was shown without escape sequences."""
        return _ESCAPES.sub("", self.text).replace("\r", "")

    @property
    def echoes(self) -> bool:
        """Say whether the terminal is in its ordinary mode."""
        return bool(termios.tcgetattr(self._descriptor)[3] & termios.ECHO)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._descriptor, keys.encode())

    def press_until(self, keys: str, shown: str) -> None:
        """Type again and again until the text stands on the screen: keys that arrive together count as one."""
        deadline = time.monotonic() + 20 * SCALE
        while shown not in self.plain:
            self.press(keys)
            if select.select([self._descriptor], [], [], 0.2)[0]:
                assert self._read(deadline), f"{shown!r} was never shown:\n{self.plain}"

    def signal(self, number: int) -> None:
        """Send a signal to the command."""
        self._process.send_signal(number)

    def expect(self, shown: str, *, after: str = "") -> None:
        """Read until the text stands on the screen, behind `after`; a text that never comes fails the test."""
        deadline = time.monotonic() + 20 * SCALE
        while shown not in (self.plain.partition(after)[2] if after else self.plain):
            assert self._read(deadline), f"{shown!r} was never shown:\n{self.plain}"

    def end(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + 20 * SCALE
        while self._read(deadline):
            pass
        return self._process.wait(timeout=20 * SCALE)

    def _read(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        assert left > 0, f"the command did not go on:\n{self.plain}"
        if not select.select([self._descriptor], [], [], left)[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)
