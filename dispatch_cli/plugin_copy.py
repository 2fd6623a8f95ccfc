"""The copy of the plugin that a host reads: that of this installation, with its programs named by their whole paths.

A session has the PATH of whoever started it. A tool server that is not found there fails, and a hook that is not found
says nothing: both would be dead, and nobody would be told.
"""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from dispatch_cli.errors import CliError

PLUGIN: Final = Path(__file__).with_name("plugin")
NAME: Final = "dispatch-plugin"  # beside the settings of the host
_HOOK: Final = (
    "if [ -x {0} ]; then {0} waiting 2>/dev/null; else"
    " echo 'Dispatch is gone from where this plugin looks for it. Type: dispatch agent host install claude'; fi; true"
)


def program(name: str) -> Path:
    """Return where a program of this installation lies.

    Raises:
        CliError: `file_unreadable`: it is not there, because Dispatch is not installed as a package is.
    """
    found = Path(sys.executable).with_name(name)
    if not found.is_file():
        raise CliError(
            "file_unreadable",
            f"{found} is not there, so no session could start it.",
            hint="install Dispatch as a package, and type this there",
        )
    return found


def write(place: Path) -> bool:
    """Write the copy; return whether it was another one, or none, before."""
    wanted = _rendered()
    present = {name: _read(place / name) for name in wanted}
    if present == wanted:
        return False
    erase(place)
    for name, data in wanted.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return True


def erase(place: Path) -> bool:
    """Take the copy away; return whether there was one."""
    there = place.is_dir()
    shutil.rmtree(place, ignore_errors=True)
    return there


def _rendered() -> dict[str, bytes]:
    files = {str(file.relative_to(PLUGIN)): file.read_bytes() for file in PLUGIN.rglob("*") if file.is_file()}
    served = json.loads(files[".mcp.json"])
    served["mcpServers"]["dispatch"]["command"] = str(program("dispatch-mcp"))
    hooks = json.loads(files["hooks/hooks.json"])
    hooks["hooks"]["SessionStart"][0]["hooks"][0]["command"] = _HOOK.format(
        shlex.quote(str(program("dispatch")))
    )
    return files | {".mcp.json": _written(served), "hooks/hooks.json": _written(hooks)}


def _written(document: Any) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
