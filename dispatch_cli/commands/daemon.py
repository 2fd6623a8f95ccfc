"""`daemon`: the process that does the work, run, started, stopped and inspected."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import click

from dispatch_cli import starting
from dispatch_cli.client import AbsentError, Client
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.fields import Document
from dispatch_cli.render.lines import line
from dispatch_cli.render.machine import daemon_lines
from dispatch_cli.render.text import visible

_STOP_S = 30.0
_POLL_S = 0.02
_TAIL_BYTES = 1024 * 1024


@click.group(cls=Group)
def daemon() -> None:
    """Run, start, stop or inspect the daemon of this home.

    Every command that needs it starts it.
    """


@daemon.command()
@click.option(
    "--local-port", metavar="N", type=click.IntRange(0, 65_535), help="The port of its door; 0 takes any."
)
@click.pass_obj
def run(invocation: Invocation, local_port: int | None) -> None:
    """Run the daemon in the foreground, in place of this command."""
    extra = [] if local_port is None else ["--local-port", str(local_port)]
    if invocation.options.broker:
        extra += ["--broker", invocation.options.broker]
    command = starting.command(invocation.home, *extra)
    invocation.out.stream.flush()
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell; the daemon takes this process over
    except OSError as error:
        raise CliError(
            "daemon_unreachable", f"{command[0]} cannot be run: {error.strerror or error}."
        ) from error


@daemon.command()
@click.pass_obj
def start(invocation: Invocation) -> None:
    """Start the daemon in the background, if it does not run yet."""
    if invocation.door.if_running("/health") is None:
        starting.start(invocation.home, invocation.note)
    _show_status(invocation)


@daemon.command()
@click.pass_obj
def stop(invocation: Invocation) -> None:
    """Stop the daemon: it finishes what it is writing and ends."""
    was_running = end_daemon(invocation)
    said = "Stopped." if was_running else "The daemon was not running."
    invocation.show(_absent(invocation), lambda _: [line(said)])


def end_daemon(invocation: Invocation) -> bool:
    """End the daemon of this home and wait until it has; return whether one ran."""
    home = invocation.home
    pid = home.pid()
    try:
        Client(home.socket_path()).call("POST", "/v1/daemon/stop", {}, timeout_s=_STOP_S)
    except AbsentError:
        if pid is None:
            return False
        _end(pid)
    except CliError:
        # It does not answer as it should; whoever holds the lock is the daemon all the same.
        if pid is None:
            raise
        _end(pid)
    deadline = time.monotonic() + _STOP_S
    while home.is_held():
        if time.monotonic() > deadline:
            raise CliError(
                "daemon_unreachable",
                f"The daemon (pid {pid}) did not end within {_STOP_S:.0f} s.",
                hint=f"kill {pid}",
            )
        time.sleep(_POLL_S)
    return True


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise CliError(
            "daemon_unreachable", f"The process {pid} belongs to somebody else.", hint=f"kill {pid}"
        ) from error


@daemon.command()
@click.pass_obj
def status(invocation: Invocation) -> None:
    """Show whether the daemon runs, and where; never start it."""
    _show_status(invocation)


def _show_status(invocation: Invocation) -> None:
    found = invocation.door.if_running("/v1/daemon") or _absent(invocation)
    invocation.show(found, lambda view: daemon_lines(found, view))


def _absent(invocation: Invocation) -> Document:
    socket = invocation.home.socket_path()
    return {"running": False, "pid": None, "version": None, "door": None, "socket": socket}


@daemon.command()
@click.option("-n", "--lines", "number", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is logged.")
@click.pass_obj
def logs(invocation: Invocation, number: int, follow: bool) -> None:
    """Show the end of the log of a daemon that runs in the background."""
    path = invocation.home.log_path
    if follow and invocation.options.json:
        raise click.UsageError("--follow never ends, so it cannot be one JSON document.")
    rows, offset = _tail(path, number)
    invocation.show({"path": str(path), "lines": rows}, lambda _: [line(visible(row)) for row in rows])
    if follow:
        for row in _more(path, offset):
            invocation.out.show([line(visible(row))])


def _tail(path: Path, number: int) -> tuple[list[str], int]:
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except FileNotFoundError as error:
        raise CliError(
            "not_found", f"There is no log yet at {path}.", hint="dispatch daemon start"
        ) from error
    except OSError as error:
        raise CliError("file_unreadable", f"{path} cannot be read: {error.strerror or error}.") from error
    return text.splitlines()[-number:], size


def _more(path: Path, offset: int) -> Iterator[str]:
    """Yield lines as they are written; a file that became shorter was rotated and is read from its start."""
    rest = ""
    while True:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(offset if size >= offset else 0)
            data = log.read()
            offset = log.tell()
        *rows, rest = (rest + data.decode("utf-8", "replace")).split("\n")
        yield from rows
        if not data:
            time.sleep(0.2)
