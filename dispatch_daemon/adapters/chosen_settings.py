"""Which settings may be changed at the door, and how one is kept: as if it had been typed, with the same bounds.

A page is open in a browser and is no terminal. What starts a program outside the wall, says where a key lies, or leads what
leaves this machine somewhere else is therefore typed (docs/adr/0085): the page shows it, and the command.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args

from dispatch_daemon.adapters.notifier import BELL, DESKTOP, OFF
from dispatch_daemon.adapters.settings import (
    ApprovalUi,
    SettingsError,
    as_typed,
    refuse_unknown,
    write_config,
)

# name -> the words that it may be, none for anything that its bounds allow
AT_THE_DOOR: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "approval_ui": get_args(ApprovalUi),
        "notify": (OFF, BELL, DESKTOP),
        "device_name": (),
        "file_bytes": (),
        "local_port": (),
        "project_roots": (),
        "agent_prices": (),
    }
)


class TypedOnlyError(SettingsError):
    """A setting that is changed at a terminal alone."""

    def __init__(self, name: str, detail: str) -> None:
        """Name the command that does it."""
        super().__init__(detail, hint=f"dispatch config set {name} VALUE")


def keep(home: Path, name: str, value: str | None) -> None:
    """Store a setting in `config.json` as it is typed; None forgets it.

    Raises TypedOnlyError for what may not be changed here, SettingsError for what is no setting or out of its bounds, and
    HomeError for a file that cannot be written.
    """
    refuse_unknown(name, "to write")
    if name not in AT_THE_DOOR:
        raise TypedOnlyError(name, f"{name} is changed at a terminal, not here.")
    words = AT_THE_DOOR[name]
    if words and value is not None and value not in words:
        raise TypedOnlyError(name, f"Here {name} may be {', '.join(words)}; anything else is typed.")
    write_config(home, {name: None if value is None else as_typed(name, value)})
