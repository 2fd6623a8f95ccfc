"""What a person may configure, and where each value came from: flag, environment, `config.json` or default.

The first source that names a value wins, and the origin is kept, because "why does it use that broker?" is asked
more often than any other question. An unknown key is an error with a sentence: a misspelt setting that is silently
ignored is a setting that somebody believes in. Secrets are no settings; they live in the keystore.

Checked by hand and not by pydantic: few values are read once, at a start that somebody waits for, in a process that
then idles for days.
"""

import difflib
import json
import os
import platform
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from dispatch_daemon.adapters.broker_address import repair
from dispatch_daemon.adapters.home import HomeError, read_private, write_private
from dispatch_daemon.adapters.notifier import BELL, DESKTOP, OFF
from dispatch_daemon.adapters.prices import prices_of
from dispatch_protocol.encoding import JSON, loads
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.limits import ATTACHMENT_BYTES
from dispatch_protocol.scopes import is_host

CONFIG_NAME: Final = "config.json"
CONFIG_MAX_BYTES: Final = 64 * 1024
DEFAULT_LOCAL_PORT: Final = 8001
NAME_CHARS: Final = 64
FILE_BYTES_MOST: Final = 64 * 1024 * 1024
MODEL_NAME: Final = re.compile(r"(?:anthropic|openai):[!-~]{1,128}")
ACP: Final = "acp"
CLAUDE: Final = "claude"
PROGRAMS: Final = (ACP, CLAUDE)  # agents with a program of their own
KEY_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:/[ -~]{1,1000}")

_NUMBERS: Final = frozenset({"local_port", "file_bytes"})
_DIGITS: Final = 19
# Written by the daemon for others to find its door; a person does not set them by flag or environment.
RECORDED: Final = frozenset({"socket", "door"})


class Origin(StrEnum):
    """Where a value came from, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    CONFIG = "config.json"
    DEFAULT = "default"


KeyBackend = Literal["auto", "keyring", "file"]
ApprovalUi = Literal["picker", "form", "local"]


class SettingsError(HomeError):
    """A setting cannot be used; the detail names the setting, its origin and what it should be."""

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        """Say which setting is wrong."""
        super().__init__("config_invalid", detail, hint=hint)


def _own_name() -> str:
    """Return the machine's own short name, which people recognise."""
    return platform.node().split(".")[0][:NAME_CHARS] or "this device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its value; `origin` says where a value came from. `local_port` 0 takes any free one."""

    broker: str | None = None
    local_port: int = DEFAULT_LOCAL_PORT
    key_backend: KeyBackend = "auto"
    approval_ui: ApprovalUi = "picker"
    device_name: str = field(default_factory=_own_name)
    ca_bundle: str | None = None
    agent: str | None = None
    agent_url: str | None = None
    agent_key: str | None = None
    file_bytes: int = ATTACHMENT_BYTES
    project_roots: str | None = None
    agent_model: str | None = None
    agent_command: str | None = None
    agent_directories: str | None = None
    agent_prices: str | None = None
    notify: str = OFF
    private_hosts: str | None = None
    socket: str | None = None
    door: str | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def origin(self, name: str) -> Origin:
        """Say where the value of a setting came from."""
        return self.origins.get(name, Origin.DEFAULT)


def load_settings(home: Path, *, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Merge flags, environment and `config.json` of `home`; a flag that is None was not given.

    Raises `SettingsError` for a value that cannot be used and `HomeError` for a file that cannot be trusted.
    """
    layers: list[tuple[Origin, Mapping[str, object]]] = [
        (Origin.CONFIG, read_config(home)),
        (Origin.ENVIRONMENT, _from_environment(environ)),
        (Origin.FLAG, {name: value for name, value in flags.items() if value is not None}),
    ]
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for origin, layer in layers:
        values |= layer
        origins |= dict.fromkeys(layer, origin)
    return Settings(**_checked(values, origins), origins=MappingProxyType(origins))


def read_config(home: Path) -> dict[str, JSON]:
    """Read `config.json` strictly; no file is an empty one.

    Raises `SettingsError` for anything but a JSON object of known keys.
    """
    path = home / CONFIG_NAME
    data = read_private(path, max_bytes=CONFIG_MAX_BYTES)
    if data is None:
        return {}
    try:
        value = loads(data, max_bytes=CONFIG_MAX_BYTES)
    except MalformedError as error:
        raise SettingsError(
            f"{path} is not valid JSON: {error.detail}.", hint=f"mend or remove {path}"
        ) from error
    if not isinstance(value, dict):
        raise SettingsError(f"{path} should hold a JSON object.", hint=f"mend or remove {path}")
    for name in value:
        refuse_unknown(name, f"in {path}")
    return value


def write_config(home: Path, changes: Mapping[str, JSON]) -> None:
    """Change some keys of `config.json` and keep the others; None removes a key.

    Raises `SettingsError` if the result could not be loaded again.
    """
    kept = read_config(home)
    for name, value in changes.items():
        refuse_unknown(name, "to write")
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    _checked(kept, dict.fromkeys(kept, Origin.CONFIG))
    text = json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False)
    write_private(home / CONFIG_NAME, f"{text}\n".encode())


def as_typed(name: str, text: str) -> JSON:
    """Return what somebody typed as it is stored: a number where the setting is one, and text otherwise."""
    return (
        int(text) if name in _NUMBERS and text.isascii() and text.isdigit() and len(text) < _DIGITS else text
    )


def variable(name: str) -> str:
    """Name the environment variable of a setting."""
    return f"DISPATCH_{name.upper()}"


def home_from(environ: Mapping[str, str]) -> Path:
    """Name the home: `DISPATCH_HOME`, else `~/.dispatch`."""
    return Path(environ.get("DISPATCH_HOME") or os.path.join("~", ".dispatch")).expanduser()


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """Collect `DISPATCH_<NAME>`; an empty variable counts as unset."""
    found: dict[str, object] = {}
    for name in _CHECKS:
        text = environ.get(variable(name), "")
        if text and name not in RECORDED:
            found[name] = as_typed(name, text)
    return found


def _checked(values: Mapping[str, object], origins: Mapping[str, Origin]) -> dict[str, Any]:
    """Check every value, and turn a complaint into a sentence with an origin."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        refuse_unknown(name, "to load")
        try:
            found[name] = _CHECKS[name](value)
        except ValueError as error:
            raise SettingsError(
                f"{name} (from {_source(name, origins[name])}) {error}.",
                hint=f"dispatch config get {name} --show-origin",
            ) from error
    return found


def _broker(value: object) -> str:
    """Accept a broker's address as people type it."""
    try:
        return repair(_text(value))
    except LocalError as error:
        raise ValueError(f"is no address: {error.detail}") from error


def _url(value: object) -> str:
    """Accept a model endpoint's base address as people type it."""
    try:
        return repair(_text(value))
    except LocalError as error:
        raise ValueError("should look like https://models.example.org") from error


def _agent(value: object) -> str:
    text = _text(value)
    return text if text in PROGRAMS else _model(text)


def _model(value: object) -> str:
    text = _text(value)
    if MODEL_NAME.fullmatch(text) is None:
        raise ValueError("should look like anthropic:MODEL or openai:MODEL")
    return text


def _command(value: object) -> str:
    """Accept a command line whose program is named by its whole path."""
    text = _text(value)
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not text.isprintable() or not words or not words[0].startswith("/"):
        raise ValueError("should be a command with the whole path of its program")
    return text


def _notify(value: object) -> str:
    try:
        return value if value in (OFF, BELL, DESKTOP) and isinstance(value, str) else _command(value)
    except ValueError as error:
        raise ValueError(
            "should be off, bell, desktop, or a command with the whole path of its program"
        ) from error


def _directories(value: object) -> str:
    """Accept directories with colons between them, as PATH has them."""
    text = _text(value)
    if not text.isprintable() or not all(each.startswith("/") for each in text.split(":")):
        raise ValueError("should be whole paths with colons between them")
    return text


def _prices(value: object) -> str:
    text = _text(value)
    if not prices_of(text) or not text.isprintable():
        raise ValueError("should look like MODEL=3/15")
    return text


def _hosts(value: object) -> str:
    """Accept names of hosts, without ports: where they may lie is said of the name."""
    names = _text(value).replace(",", " ").split()
    if not names or not all(is_host(name) and ":" not in name for name in names):
        raise ValueError("should be names of hosts, in lower case and without ports")
    return " ".join(names)


def _key_reference(value: object) -> str:
    text = _text(value)
    if KEY_REFERENCE.fullmatch(text) is None:
        raise ValueError("should be env:NAME or file:/PATH, never the key itself")
    return text


def _port(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 65_535:
        raise ValueError("should be a number from 0 to 65535")
    return value


def _file_bytes(value: object) -> int:
    if type(value) is not int or not 0 < value <= FILE_BYTES_MOST:
        raise ValueError(f"should be a number of bytes up to {FILE_BYTES_MOST}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("should be text")
    return value


def _short(value: object) -> str:
    text = _text(value)
    if len(text) > NAME_CHARS or not text.isprintable():
        raise ValueError(f"should be at most {NAME_CHARS} printable characters")
    return text


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    """Return a check that accepts some words."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"should be one of {', '.join(words)}")
        return value

    return check


_CHECKS: Final[Mapping[str, Callable[[object], object]]] = MappingProxyType(
    {
        "broker": _broker,
        "local_port": _port,
        "key_backend": _one_of(get_args(KeyBackend)),
        "approval_ui": _one_of(get_args(ApprovalUi)),
        "device_name": _short,
        "ca_bundle": _text,
        "agent": _agent,
        "agent_url": _url,
        "agent_key": _key_reference,
        "file_bytes": _file_bytes,
        "project_roots": _text,
        "agent_model": _model,
        "agent_command": _command,
        "agent_directories": _directories,
        "agent_prices": _prices,
        "notify": _notify,
        "private_hosts": _hosts,
        "socket": _text,
        "door": _text,
    }
)
NAMES: Final = tuple(_CHECKS)


def _source(name: str, origin: Origin) -> str:
    """Say an origin in words that point at the place to mend."""
    match origin:
        case Origin.ENVIRONMENT:
            return variable(name)
        case Origin.FLAG:
            return f"--{name.replace('_', '-')}"
        case _:
            return str(origin)


def refuse_unknown(name: str, where: str) -> None:
    """Refuse a key that is no setting, and name the one it may have been meant to be."""
    if name in _CHECKS:
        return
    near = difflib.get_close_matches(name, _CHECKS, n=1)
    meant = f'; "{near[0]}" is the nearest one' if near else ""
    raise SettingsError(f'There is no setting "{name[:64]}" ({where}){meant}.', hint="dispatch config path")
