"""What may be set, and where each value comes from: flag, environment, `config.json`, default.

The daemon validates the same names with the same bounds when it starts; here they are checked so that a
mistake is refused where it is made. A test holds both lists against each other.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_protocol.limits import ATTACHMENT_BYTES

DEFAULT_LOCAL_PORT = 8001
FILE_BYTES_MOST = 64 * 1024 * 1024
ACP = "acp"
CLAUDE = "claude"
PROGRAMS = (ACP, CLAUDE)  # agents with a program of their own
BELL = "bell"  # of the terminal in which somebody watches
_PRICES_WORDS = "it should look like MODEL=3/15, in US dollars for a million tokens in and out"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: how a typed value becomes what is stored, and what holds when nothing is set."""

    parse: Callable[[str], Any]
    default: Any
    help: str


@dataclass(frozen=True, slots=True)
class Found:
    """A value and where it came from."""

    key: str
    value: Any
    origin: str


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"it should be one of {', '.join(words)}")
        return value

    return parse


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) <= 65_535):
        raise ValueError("it should be a port from 0 (any) to 65535")
    return int(value)


def _file_bytes(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= FILE_BYTES_MOST):
        raise ValueError(f"it should be a number of bytes up to {FILE_BYTES_MOST}")
    return int(value)


def _broker(value: str) -> str:
    """Repair what people write (capitals, a slash at the end, the usual port) into the one spelling."""
    from dispatch_protocol.broker_url import check_broker_url
    from dispatch_protocol.errors import MalformedError

    scheme, _, rest = value.strip().rstrip("/").partition("://")
    scheme = scheme.lower()
    place, slash, path = rest.partition("/")
    usual = {"http": ":80", "https": ":443"}.get(scheme, "")
    host = place.lower().removesuffix(usual)
    try:
        return check_broker_url(f"{scheme}://{host}{slash}{path}")
    except MalformedError as error:
        raise ValueError("it should look like https://broker.example.org") from error


def _url(value: str) -> str:
    try:
        return _broker(value)
    except ValueError as error:
        raise ValueError("it should look like https://models.example.org") from error


def _model(value: str) -> str:
    import re

    if re.fullmatch(r"(?:anthropic|openai):[!-~]{1,128}", value) is None:
        raise ValueError("it should look like anthropic:MODEL or openai:MODEL")
    return value


def _agent(value: str) -> str:
    if value in PROGRAMS:
        return value
    try:
        return _model(value)
    except ValueError as error:
        raise ValueError("it should be claude, acp, or look like anthropic:MODEL or openai:MODEL") from error


def _command(value: str) -> str:
    """Find the program as a shell would, and keep its whole path: the daemon has another PATH."""
    import shlex
    import shutil

    try:
        words = shlex.split(value)
    except ValueError:
        words = []
    found = shutil.which(words[0]) if words else None
    if found is None or not value.isprintable():
        raise ValueError("it should be a command that is found here")
    return shlex.join([os.path.realpath(found), *words[1:]])


def _notify(value: str) -> str:
    if value in ("off", "desktop", BELL):
        return value
    try:
        return _command(value)
    except ValueError as error:
        raise ValueError("it should be off, bell, desktop, or a command that is found here") from error


def _directories(value: str) -> str:
    places = [os.path.realpath(os.path.expanduser(each)) for each in value.split(":")]
    if not value.isprintable() or not all(os.path.isdir(each) and ":" not in each for each in places):
        raise ValueError("it should be directories that exist, with colons between them")
    return ":".join(places)


def _prices(value: str) -> str:
    import re

    amount = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
    words = value.replace(",", " ").split()
    models = [word.rpartition("=")[0] for word in words]
    if not words or len(set(models)) < len(models) or not value.isprintable():
        raise ValueError(_PRICES_WORDS)
    if not all(re.fullmatch(rf"[!-~]{{1,128}}={amount}/{amount}", word) for word in words):
        raise ValueError(_PRICES_WORDS)
    return value


def with_price(present: str | None, model: str, price: str) -> str:
    """Return the prices with this model's as it is now."""
    kept = [word for word in (present or "").replace(",", " ").split() if word.rpartition("=")[0] != model]
    return " ".join([*kept, f"{model}={price}"])


def _key_reference(value: str) -> str:
    import re

    if re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:/[ -~]{1,1000}", value) is None:
        raise ValueError("it should be env:NAME or file:/PATH, never the key itself")
    return value


def _hosts(value: str) -> str:
    from dispatch_protocol.scopes import is_host

    names = value.replace(",", " ").split()
    if not names or not all(is_host(name) and ":" not in name for name in names):
        raise ValueError("it should be names of hosts, in lower case and without ports")
    return " ".join(names)


def _text(value: str) -> str:
    if not value or not value.isprintable():
        raise ValueError("it should be one line of text")
    return value


def _name(value: str) -> str:
    if len(value) > 64:
        raise ValueError("it should have at most 64 characters")
    return _text(value)


SETTINGS: Mapping[str, Setting] = {
    "broker": Setting(_broker, None, "the broker that login signs in to"),
    "local_port": Setting(_port, DEFAULT_LOCAL_PORT, "the port of the daemon's door for browsers"),
    "key_backend": Setting(_one_of("auto", "keyring", "file"), "auto", "where keys are kept"),
    "approval_ui": Setting(_one_of("picker", "form", "local"), "picker", "how an agent's session asks"),
    "device_name": Setting(_name, None, "what this machine is called (its host name by default)"),
    "ca_bundle": Setting(_text, None, "certificates of a private authority, as a file"),
    "file_bytes": Setting(_file_bytes, ATTACHMENT_BYTES, "the largest file that is sent or taken here"),
    "project_roots": Setting(
        _text, None, "where projects are looked for, with : in between (usual places of a home by default)"
    ),
    "agent": Setting(_agent, None, "who decides the calls of a task without steps"),
    "agent_url": Setting(_url, None, "where the agent's model is asked, if not at its vendor"),
    "agent_key": Setting(_key_reference, None, "where its key lies: env:NAME or file:/PATH"),
    "agent_model": Setting(_model, None, "the model that an agent with a program asks, behind the gate"),
    "agent_command": Setting(_command, None, "the command that starts an agent's program, inside the wall"),
    "agent_directories": Setting(_directories, None, "what that program is made of, besides /usr"),
    "agent_prices": Setting(
        _prices,
        None,
        "what models cost: MODEL=IN/OUT in US dollars for a million tokens, for limits in money",
    ),
    "notify": Setting(_notify, "off", "who calls me when something waits: off, bell, desktop, or a command"),
    "private_hosts": Setting(
        _hosts, None, "hosts of a grant that may lie on this machine or its own network"
    ),
}


def known(key: str) -> Setting:
    """Return a setting.

    Raises `CliError` (`config_unknown`) for a name that is none, and names the nearest.
    """
    setting = SETTINGS.get(key)
    if setting is None:
        from difflib import get_close_matches

        near = get_close_matches(key, SETTINGS, n=1)
        meant = f' "{near[0]}" is the nearest one.' if near else ""
        raise CliError(
            "config_unknown",
            f'There is no setting "{key}".{meant} There are: {", ".join(SETTINGS)}.',
            hint=f"dispatch config get {near[0]}" if near else "dispatch config get",
        )
    return setting


def find(key: str, home: Home, flags: Mapping[str, Any]) -> Found:
    """Return the value that counts, and its origin."""
    setting = known(key)
    if flags.get(key) is not None:
        return Found(key, flags[key], "flag")
    variable = os.environ.get(f"DISPATCH_{key.upper()}")
    if variable:
        return Found(key, _parsed(key, setting, variable, f"DISPATCH_{key.upper()}"), "environment")
    config = home.config()
    if config.get(key) is not None:
        return Found(key, config[key], "config.json")
    return Found(key, setting.default, "default")


def _parsed(key: str, setting: Setting, value: str, source: str) -> Any:
    try:
        return setting.parse(value)
    except ValueError as error:
        raise CliError(
            "config_invalid",
            f"{key} (from {source}): {error}.",
            hint=f"dispatch config get {key} --show-origin",
        ) from error


def change(values: Mapping[str, str | None], home: Home) -> dict[str, Any]:
    """Store values (None forgets one) in `config.json`, all or none, and return them.

    The file is replaced in one step and readable by its owner alone; other keys are kept.
    """
    stored = {
        key: None if value is None else _parsed(key, known(key), value, "the command line")
        for key, value in values.items()
    }
    config = {name: kept for name, kept in (home.config() | stored).items() if kept is not None}
    text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    home.keep(home.config_path.name, text.encode())
    return stored
