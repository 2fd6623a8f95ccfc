"""A secret by the name of the place where it lies: a variable of the daemon, or a file that only its owner can read.

The configuration names places and never holds what lies there, so it can be looked at, copied and shown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dispatch_daemon.adapters.home import HomeError, read_private

SECRET_BYTES: Final = 4096


class SecretMissingError(Exception):
    """Nothing lies at the place that was named; `remedy` is the next command or act."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


def secret_at(reference: str, environ: Mapping[str, str]) -> str:
    """Return what lies at `env:NAME` or `file:/PATH`, without the end of its line.

    Raises:
        SecretMissingError: there is nothing, or others could have read it.
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        held = environ.get(place, "")
        if not held:
            raise SecretMissingError(
                f"The daemon's environment has no {place}: it has the environment of whoever started it.",
                f"export {place}=KEY; dispatch daemon stop; dispatch daemon start",
            )
        return held
    try:
        data = read_private(Path(place), max_bytes=SECRET_BYTES)
    except HomeError as error:
        raise SecretMissingError(error.detail, f"chmod 600 {place}") from error
    if not data:
        raise SecretMissingError(f"{place} holds no key.", f"put the key into {place}, one line")
    return data.decode("utf-8", "replace").strip()
