"""The recovery key on its way from paper to the daemon: typed unseen, or read from a file, and never an argument."""

import getpass
from typing import TYPE_CHECKING

from dispatch_cli.errors import CliError
from dispatch_cli.reading import read_text
from dispatch_cli.render.fields import words

if TYPE_CHECKING:
    from dispatch_cli.invocation import Invocation

_KEY_BYTES = 1_024
_TIMEOUT_S = 60.0


def take_back(invocation: "Invocation", broker: str, keep: tuple[str, ...], paper: str | None) -> None:
    """Let the daemon of this empty home take an identity back with its recovery key."""
    if paper is not None:
        key = read_text(paper, "recovery key", limit=_KEY_BYTES).strip()
    elif invocation.is_interactive:
        key = getpass.getpass("The recovery key, as you wrote it down (it is not shown): ").strip()
    else:
        raise CliError(
            "usage",
            "The recovery key is typed on a terminal, or read from a file.",
            hint="dispatch login --recover --recovery-key-file -",
        )
    if not key:
        raise CliError("usage", "No recovery key was given.", hint="dispatch login --recover")
    body = {"broker": broker, "key": key, "keep": list(keep)}
    taken = invocation.door.post("/v1/devices/recover", body, timeout_s=_TIMEOUT_S)
    count = len(words(taken, "survivors"))
    invocation.note(
        f"This identity begins anew here; {count or 'none'} of its other devices survive{'s' if count == 1 else ''}."
    )
