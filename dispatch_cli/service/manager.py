"""What every service manager can do for us, and how its programs are asked.

A service belongs to the user and never to root: the daemon needs nothing that the user has not.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from dispatch_cli.errors import CliError
from dispatch_cli.home import Home

_PATIENCE_S = 60.0
_SAID_CHARS = 300


@dataclass(frozen=True, slots=True)
class State:
    """What a manager knows of the service. `lingers` says whether it outlives the last sign-out; None: no such thing."""

    manager: str
    unit: str
    installed: bool
    enabled: bool
    running: bool
    lingers: bool | None


class Manager(Protocol):
    """A service manager of this machine."""

    def install(self, home: Home) -> None:
        """Write the unit, start it now and at every boot; the same again changes nothing."""
        ...

    def uninstall(self, home: Home) -> bool:
        """Stop it and take the unit away; return whether there was one."""
        ...

    def state(self, home: Home) -> State:
        """Say what is."""
        ...


def unit_name(home: Home) -> str:
    """Return `dispatch`, with a mark of its own for any home but the usual one."""
    if home.root == Home.found("~/.dispatch").root:
        return "dispatch"
    return f"dispatch-{sha256(home.root.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def daemon_command(home: Home) -> list[str]:
    """Return the command line that the manager starts; `-P` keeps the current directory out of its imports."""
    return [sys.executable, "-P", "-m", "dispatch_daemon", "run", "--home", home.root]


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended and what it said."""

    code: int
    out: str
    err: str


def ask(*command: str) -> Said:
    """Run one program of the manager; raises `CliError` (`no_service_manager`) if there is no such program."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise no_manager(f"{command[0]} is not there") from error
    except subprocess.TimeoutExpired as error:
        raise CliError(
            "service_failed", f"{' '.join(command)} did not end within {_PATIENCE_S:.0f} s."
        ) from error
    return Said(done.returncode, done.stdout.strip(), done.stderr.strip())


def demand(*command: str) -> Said:
    """Run one program that has to succeed; raises `CliError` with what it said (`service_failed`)."""
    said = ask(*command)
    if said.code != 0:
        raise failed(command, said)
    return said


def failed(command: Sequence[str], said: Said) -> CliError:
    """Return the error of a program that did not do what was asked."""
    words = (said.err or said.out or f"exit code {said.code}").splitlines()[-1][:_SAID_CHARS]
    return CliError("service_failed", f"{' '.join(command)} failed: {words.removesuffix('.')}.")


def no_manager(why: str) -> CliError:
    """Return the error of a machine on which nobody starts services for a user."""
    return CliError(
        "no_service_manager",
        f"No service manager of this user was found: {why}. The daemon can be started by hand.",
        hint="dispatch daemon start",
    )
