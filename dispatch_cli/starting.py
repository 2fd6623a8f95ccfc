"""A daemon for commands that need one and find none: started detached, waited for, said in one line.

It outlives the command in a session of its own, logs into its home, and has answered its ready line before
the first request goes out. Two commands at once start two; the kernel's lock lets one of them live, and the
other command finds that one.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dispatch_cli.client import AbsentError, Client
from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_cli.render.text import home_relative, visible

READY_S = 30.0
READY_PREFIX = b"listening on "
_LOG_KEPT_BYTES = 4 * 1024 * 1024
_LOG_READ_BYTES = 64 * 1024
_ERROR = "error: "
_SAID_CHARS = 500
_POLL_S = 0.02


def command(home: Home, *arguments: str) -> list[str]:
    """Return the command line of the daemon; `-P` keeps the current directory out of its imports."""
    return [sys.executable, "-P", "-m", "dispatch_daemon", "run", "--home", str(home.path), *arguments]


def start(home: Home, say: Callable[[str], None]) -> None:
    """Start a daemon for `home` and return once it listens.

    Raises `CliError`: `home_unusable`, or `daemon_unreachable` with the reason from its log.
    """
    home.create()
    try:
        log = _open_log(home.log_path)
    except OSError as error:
        raise CliError(
            "home_unusable",
            f"{home.log_path} cannot be written: {error.strerror or error}.",
            hint="dispatch --home DIR doctor",
        ) from error
    with os.fdopen(log, "ab") as errors:
        begun = os.fstat(log).st_size
        process = subprocess.Popen(
            command(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=home.path,
            start_new_session=True,
        )
    place = _ready_line(process)
    if place is not None:
        shown = home_relative(str(home.path), os.path.expanduser("~"))
        say(f"Started the daemon of {visible(shown)} (pid {process.pid}, {visible(place)}).")
    elif not _another_answers(home):
        raise _failure(home, begun, process.poll())


def _open_log(path: Path) -> int:
    """Open the log for its owner alone, keeping one older file once it has grown."""
    if path.exists() and path.stat().st_size > _LOG_KEPT_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _ready_line(process: "subprocess.Popen[bytes]") -> str | None:
    """Return the address of the ready line, or None if the process ended, or spoke, without one."""
    output = process.stdout
    if output is None:  # pragma: no cover - the pipe was asked for
        return None
    deadline = time.monotonic() + READY_S
    text = b""
    with output:
        while b"\n" not in text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                return None
            piece = os.read(output.fileno(), 4096)
            if not piece:
                process.wait()
                return None
            text += piece
    first = text.partition(b"\n")[0].strip()
    return (
        first.removeprefix(READY_PREFIX).decode("utf-8", "replace")
        if first.startswith(READY_PREFIX)
        else None
    )


def _another_answers(home: Home) -> bool:
    """Wait for the daemon that holds the home, if one does, to open its door."""
    deadline = time.monotonic() + READY_S
    while home.is_held() and time.monotonic() < deadline:
        try:
            Client(home.socket_path()).call("GET", "/health", timeout_s=5.0)
        except AbsentError:
            time.sleep(_POLL_S)
        else:
            return True
    return False


def _failure(home: Home, begun: int, code: int | None) -> CliError:
    said, hint = _last_words(home.log_path, begun)
    if not said:
        how = "it is not ready yet" if code is None else f"it ended with exit code {code}"
        said = f"{how}, and its log says nothing"
    return CliError(
        "daemon_unreachable", f"The daemon could not be started: {said}", hint=hint or "dispatch daemon logs"
    )


def _last_words(path: Path, begun: int) -> tuple[str, str | None]:
    """Return why the failed process gave up, as it logged it, and the next command if it named one.

    The daemon's own errors stand as `error: WHAT [CODE]` with the next command below; of any other end the
    last line says most.
    """
    try:
        with path.open("rb") as log:
            log.seek(begun)
            text = log.read(_LOG_READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return "", None
    rows = [row for row in text.split("\n") if row.strip()]
    for index in range(len(rows) - 1, -1, -1):
        if rows[index].startswith(_ERROR):
            what = rows[index].removeprefix(_ERROR).rpartition(" [")[0] or rows[index].removeprefix(_ERROR)
            following = rows[index + 1] if index + 1 < len(rows) else ""
            return visible(what)[:_SAID_CHARS], following.strip() if following.startswith("  ") else None
    return (visible(rows[-1].strip())[:_SAID_CHARS] if rows else ""), None
