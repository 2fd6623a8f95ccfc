"""What a person may configure, and where each value came from: flag, environment, `config.json` or default.

The first source that names a value wins, and the origin is kept, because "why does it use that broker?" is asked
more often than any other question. An unknown key is an error with a sentence: a misspelt setting that is silently
ignored is a setting that somebody believes in. Secrets are no settings; they live in the keystore.
"""

import difflib
import json
import os
import platform
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from dispatch_daemon.adapters.broker_address import repair
from dispatch_daemon.adapters.home import HomeError, read_private, write_private
from dispatch_protocol.encoding import JSON, loads
from dispatch_protocol.errors import LocalError, MalformedError

CONFIG_NAME: Final = "config.json"
CONFIG_MAX_BYTES: Final = 64 * 1024
DEFAULT_LOCAL_PORT: Final = 8001

# Written by the daemon for others to find its door; a person does not set them by flag or environment.
RECORDED: Final = frozenset({"socket", "door"})


class Origin(StrEnum):
    """Where a value came from, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    CONFIG = "config.json"
    DEFAULT = "default"


class SettingsError(HomeError):
    """A setting cannot be used; the detail names the setting, its origin and what it should be."""

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        """Say which setting is wrong."""
        super().__init__("config_invalid", detail, hint=hint)


def _broker_url(text: str) -> str:
    """Accept a broker's address as people type it."""
    try:
        return repair(text)
    except LocalError as error:
        raise ValueError(error.detail) from error


def _device_name() -> str:
    """Return the machine's own short name, which people recognise."""
    return platform.node().split(".")[0][:64] or "this device"


class Settings(BaseModel):
    """Every setting with its value; `origin` says where a value came from."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    broker: Annotated[str, AfterValidator(_broker_url)] | None = None
    local_port: int = Field(default=DEFAULT_LOCAL_PORT, ge=0, le=65_535)
    key_backend: Literal["auto", "keyring", "file"] = "auto"
    approval_ui: Literal["picker", "form", "local"] = "picker"
    device_name: str = Field(default_factory=_device_name, min_length=1, max_length=64)
    ca_bundle: str | None = Field(default=None, min_length=1)
    socket: str | None = None
    door: str | None = None

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    def origin(self, name: str) -> Origin:
        """Say where the value of a setting came from."""
        return self._origins.get(name, Origin.DEFAULT)


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
    settings = _checked(values, origins)
    settings._origins.update(origins)  # noqa: SLF001 - our own class; the model is frozen for everybody else
    return settings


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
        _refuse_unknown(name, f"in {path}")
    return value


def write_config(home: Path, changes: Mapping[str, JSON]) -> None:
    """Change some keys of `config.json` and keep the others; None removes a key.

    Raises `SettingsError` if the result could not be loaded again.
    """
    kept = read_config(home)
    for name, value in changes.items():
        _refuse_unknown(name, "to write")
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    _checked(kept, dict.fromkeys(kept, Origin.CONFIG))
    text = json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False)
    write_private(home / CONFIG_NAME, f"{text}\n".encode())


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """Collect `DISPATCH_<NAME>`; an empty variable counts as unset."""
    found: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        text = environ.get(variable(name), "")
        if name in RECORDED or not text:
            continue
        found[name] = int(text) if field.annotation is int and text.isascii() and text.isdigit() else text
    return found


def variable(name: str) -> str:
    """Name the environment variable of a setting."""
    return f"DISPATCH_{name.upper()}"


def _checked(values: Mapping[str, Any], origins: Mapping[str, Origin]) -> Settings:
    """Validate merged values and turn the first complaint into a sentence with an origin."""
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        origin = origins.get(name, Origin.DEFAULT)
        raise SettingsError(
            f"{name} (from {_source(name, origin)}): {first['msg'].removeprefix('Value error, ')}.",
            hint=f"dispatch config get {name} --show-origin",
        ) from error


def _source(name: str, origin: Origin) -> str:
    """Say an origin in words that point at the place to mend."""
    match origin:
        case Origin.ENVIRONMENT:
            return variable(name)
        case Origin.FLAG:
            return f"--{name.replace('_', '-')}"
        case _:
            return str(origin)


def _refuse_unknown(name: str, where: str) -> None:
    """Refuse a key that is no setting, and name the one it may have been meant to be."""
    if name in Settings.model_fields:
        return
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    meant = f'; "{near[0]}" is the nearest one' if near else ""
    raise SettingsError(f'There is no setting "{name[:64]}" ({where}){meant}.', hint="dispatch config path")


def home_from(environ: Mapping[str, str]) -> Path:
    """Name the home: `DISPATCH_HOME`, else `~/.dispatch`."""
    return Path(environ.get("DISPATCH_HOME") or os.path.join("~", ".dispatch")).expanduser()
