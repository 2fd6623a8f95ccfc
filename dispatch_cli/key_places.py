"""Where a model's key is said to lie, looked at before the choice is stored: a key that is not there is found out now.

A variable is one of the daemon's environment: that of whoever started it, and not this terminal's. So a daemon that runs
is asked whether it has it. Where none runs, the next command starts one, with the environment that it has itself.
"""

import os
import stat
from collections.abc import Mapping

from dispatch_cli.client import segment
from dispatch_cli.door import Door
from dispatch_cli.errors import CliError

_ASKED_CHARS = 64  # of a name that the door reads
_CODE = "agent_key_missing"


def require_variable(name: str, door: Door, environ: Mapping[str, str]) -> None:
    """Refuse a variable that the daemon does not have; nothing of its value is asked.

    What can be no name is left to the setting, which does not repeat it: it may be the key itself.

    Raises `CliError` (`agent_key_missing`).
    """
    if not (name.isascii() and name.isidentifier()):
        return
    here = bool(environ.get(name))
    held = _held(name, door)
    if held or (held is None and here):
        return
    restart = "dispatch daemon stop && dispatch daemon start"
    if held is None:
        raise CliError(
            _CODE,
            f"{name} is not set here, and no daemon runs that could have it: the next one gets the environment of the "
            "command that starts it. Nothing was stored.",
            hint=f"export {name}=KEY    or name a file: --key-file FILE",
        )
    if here:
        raise CliError(
            _CODE,
            f"{name} is set in this terminal, but not in the daemon's environment, which is that of whoever started it. "
            "Nothing was stored. Start the daemon anew from here; one that a service manager starts needs --key-file.",
            hint=restart,
        )
    raise CliError(
        _CODE,
        f"Neither the daemon's environment nor this terminal's has {name}. Nothing was stored. A daemon that a service "
        "manager starts needs --key-file.",
        hint=f"export {name}=KEY && {restart}",
    )


def _held(name: str, door: Door) -> bool | None:
    """Ask the daemon; None where none runs, or it is of a version that cannot say."""
    if len(name) > _ASKED_CHARS:
        return None
    try:
        answer = door.if_running(f"/v1/agents/keys/{segment(name)}")
    except CliError as error:
        if error.code in ("no_route", "panicked"):
            return None
        raise
    return None if answer is None else answer.get("held") is True


def require_file(place: str) -> None:
    """Refuse a file that the daemon would refuse: it must be there, plain, one's own, and closed to everybody else.

    Raises `CliError`: `file_unreadable`, or `agent_key_missing` where it is empty.
    """
    try:
        found = os.lstat(place)
    except OSError as error:
        raise _unusable(place, error.strerror or str(error), f"ls -l {place}") from error
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise _unusable(place, "it is no plain file of yours", f"ls -l {place}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise _unusable(place, f"others can read or change it (mode {mode})", f"chmod 600 {place}")
    if not found.st_mode & stat.S_IRUSR:
        raise _unusable(place, "you may not read it yourself", f"chmod 600 {place}")
    if not found.st_size:
        raise CliError(
            _CODE, f"{place} is empty. Nothing was stored.", hint=f"put the key into {place}, one line"
        )


def _unusable(place: str, why: str, hint: str) -> CliError:
    return CliError("file_unreadable", f"{place} cannot hold the key: {why}. Nothing was stored.", hint=hint)
