"""The programs that host agent sessions, and how each learns of `dispatch-mcp`: one entry of ours, nothing else touched.

Each is told by its whole path, because a session has the PATH of whoever started it. Claude Code gets a copy of the plugin
beside its settings, in which these paths stand.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dispatch_cli import plugin_copy
from dispatch_cli.errors import CliError

_BEGIN, _END = "# dispatch: begin", "# dispatch: end"


@dataclass(frozen=True, slots=True)
class Edited:
    """What was done to a host's file; `changed` is false when it already was as it should be."""

    host: str
    path: str
    changed: bool


def install(host: str, environ: Mapping[str, str]) -> Edited:
    """Make a host know Dispatch; raises CliError (`config_invalid`) for a file that cannot be read as it should be."""
    return _edit(host, environ, wanted=True)


def remove(host: str, environ: Mapping[str, str]) -> Edited:
    """Make a host forget it."""
    return _edit(host, environ, wanted=False)


def _edit(host: str, environ: Mapping[str, str], *, wanted: bool) -> Edited:
    home = Path(os.path.expanduser("~"))
    if host == "claude":
        path = Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude") / "settings.json"
        rewrite: Callable[[str, bool], str] = partial(_claude, path.with_name(plugin_copy.NAME))
    else:
        path = Path(environ.get("CODEX_HOME") or home / ".codex") / "config.toml"
        rewrite = _codex
    before = _read(path)
    after = _rewritten(path, rewrite, before, wanted=wanted)
    copied = host == "claude" and _copied(path.with_name(plugin_copy.NAME), wanted=wanted)
    if after != before:
        _write(path, after)
    return Edited(host, str(path), copied or after != before)


def _copied(place: Path, *, wanted: bool) -> bool:
    try:
        return plugin_copy.write(place) if wanted else plugin_copy.erase(place)
    except OSError as error:
        raise CliError("file_unreadable", f"{place} cannot be written: {error.strerror or error}.") from error


def _rewritten(path: Path, rewrite: Callable[[str, bool], str], before: str, *, wanted: bool) -> str:
    try:
        return rewrite(before, wanted)
    except (ValueError, TypeError, AttributeError) as error:
        raise CliError(
            "config_invalid",
            f"{path} is not as its program writes it, so it was left alone.",
            hint=f"mend {path}",
        ) from error


def _claude(copy: Path, text: str, wanted: bool) -> str:
    """Name the directory of our plugin's copy among the known marketplaces, and enable the plugin (Claude Code, settings)."""
    settings: dict[str, Any] = json.loads(text) if text.strip() else {}
    known, enabled = settings.get("extraKnownMarketplaces", {}), settings.get("enabledPlugins", {})
    if wanted:
        known["dispatch"] = {"source": {"source": "directory", "path": str(copy)}}
        enabled["dispatch@dispatch"] = True
    else:
        known.pop("dispatch", None)
        enabled.pop("dispatch@dispatch", None)
    for name, value in (("extraKnownMarketplaces", known), ("enabledPlugins", enabled)):
        if value:
            settings[name] = value
        else:
            settings.pop(name, None)
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n" if settings or text else ""


def _codex(text: str, wanted: bool) -> str:
    """Keep one marked table among whatever else stands there (Codex, config.toml)."""
    begin, end = text.find(_BEGIN), text.find(_END)
    if (begin < 0) != (end < 0) or end < begin:
        raise ValueError("half of our entry is gone")
    rest = text if begin < 0 else text[:begin].rstrip("\n") + text[end + len(_END) :]
    if "dispatch" in tomllib.loads(rest).get("mcp_servers", {}):
        raise ValueError("an entry of that name is not ours")
    if not wanted:
        return rest.rstrip("\n") + "\n" if rest.strip() else ""
    command = json.dumps(str(plugin_copy.program("dispatch-mcp")))
    entry = f"{_BEGIN}\n[mcp_servers.dispatch]\ncommand = {command}\n{_END}\n"
    whole = f"{rest.rstrip(chr(10))}\n\n{entry}" if rest.strip() else entry
    tomllib.loads(whole)
    return whole


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CliError("file_unreadable", f"{path} cannot be read: {error}.") from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if path.exists():
            os.chmod(temporary, path.stat().st_mode & 0o777)
        os.replace(temporary, path)
    except OSError as error:
        raise CliError("file_unreadable", f"{path} cannot be written: {error.strerror or error}.") from error
