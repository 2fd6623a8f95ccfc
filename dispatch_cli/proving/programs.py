"""The programs that a proof starts: children of this process, in directories of its own, ended by their process id.

They get nothing of the person's own settings: no home, no broker, no proxy, no keychain.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TypeVar

from dispatch_cli.errors import CliError
from dispatch_cli.proving.attempt import InVainError

READY_S = 30.0
PATIENCE_S = 15.0
_READY = b"listening on "
_POLL_S = 0.01
_END_S = 10.0
_OF_A_PERSON = ("DISPATCH_", "XDG_", "PYTHON")

_T = TypeVar("_T")


def wait_for(condition: Callable[[], _T | None], what: str) -> _T:
    """Return the first thing that a condition finds; raises `InVainError` after a while."""
    deadline = time.monotonic() + PATIENCE_S * float(os.environ.get("DISPATCH_TEST_TIME_SCALE", "1"))
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise InVainError(what)
        time.sleep(_POLL_S)
    return found


def environment(directory: Path) -> dict[str, str]:
    """Return the environment of a child: this machine's, without what belongs to the person."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OF_A_PERSON) and not name.lower().endswith("_proxy")
    }
    return kept | {"HOME": str(directory), "DISPATCH_KEY_BACKEND": "file"}


class Programs:
    """Every process that one proof has started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, module: str, *arguments: str) -> str:
        """Start one of our programs and wait for its ready line; returns its address.

        Raises `CliError` (`daemon_unreachable`) with the last line it wrote.
        """
        with self.log(name).open("ab") as log, _no_signal_between():
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.directory,
                env=environment(self.directory),
            )
            self._children.append(child)
        line = _first_line(child)
        if not line.startswith(_READY):
            said = self.log(name).read_text(errors="replace").strip().rpartition("\n")[2]
            raise CliError(
                "daemon_unreachable",
                f"{module} did not start for the proof: {said[:300]}",
                hint="dispatch doctor",
            )
        return line.removeprefix(_READY).decode()

    def child(self, *command: str, env: dict[str, str]) -> "subprocess.Popen[bytes]":
        """Start any program that lives until it is ended."""
        with _no_signal_between():
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env)
            self._children.append(child)
        return child

    def log(self, name: str) -> Path:
        """Return where a program writes."""
        return self.directory / f"{name}.log"

    def end(self) -> None:
        """End every one of them, the youngest first, and wait until it has gone."""
        for child in reversed(self._children):
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        for child in reversed(self._children):
            try:
                child.wait(_END_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._children.clear()


def shell(script: str, directory: Path, env: dict[str, str]) -> str:
    """Run a script as the person themself, without a wall, and return what it printed."""
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=READY_S,
    )
    return done.stdout.decode("utf-8", "replace")


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """Let a signal that would end this process at once unwind it, so that nothing it started is left behind."""

    def unwind(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    with _handled(unwind, signal.SIGTERM, signal.SIGHUP):
        yield


@contextlib.contextmanager
def _no_signal_between() -> Iterator[None]:
    """Hold a signal back until a child that was just started is written down: unwound before, it would be left running.

    A mask would do the same, and the child would inherit it and could not be ended.
    """
    arrived: list[int] = []
    try:
        with _handled(lambda number, _: arrived.append(number), signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            yield
    finally:
        for number in arrived:
            signal.raise_signal(number)


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], object], *numbers: int) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _first_line(child: "subprocess.Popen[bytes]") -> bytes:
    output = child.stdout
    if output is None:  # pragma: no cover - the pipe was asked for
        return b""
    deadline = time.monotonic() + READY_S
    text = b""
    while b"\n" not in text:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([output], [], [], left)[0]:
            break
        piece = os.read(output.fileno(), 4096)
        if not piece:
            break
        text += piece
    return text.partition(b"\n")[0].strip()
