"""The settings that the command line checks are the daemon's own, with the same defaults and the same verdicts."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_cli.settings import SETTINGS, change, find
from dispatch_daemon.adapters.settings import RECORDED, Settings, SettingsError, load_settings, variable

VALUES = {
    "broker": [
        "https://broker.example.org",
        "http://127.0.0.1:8000",
        "ftp://x",
        "broker",
        "HTTPS://Broker.Example.org:443/x/",
        "http://a@b",
        "http://x?y",
        "http://[::1]:80",
        "http://x:0",
    ],
    "local_port": ["0", "8001", "65535", "65536", "-1", "x"],
    "key_backend": ["auto", "keyring", "file", "plain"],
    "approval_ui": ["picker", "form", "local", "page"],
    "device_name": ["laptop", "x" * 64, "x" * 65],
    "ca_bundle": ["/etc/ssl/x.pem"],
    "agent": [
        "anthropic:claude",
        "openai:llama3.1:8b",
        "openai:",
        "steps",
        "openai:a b",
        "openai:" + "x" * 129,
        "acp",
        "acp:x",
    ],
    "agent_model": ["anthropic:claude", "openai:llama3.1:8b", "acp", "claude"],
    "agent_command": [f"{os.path.realpath('/bin/sh')} -c 'a b'", "'", "no-such-program-anywhere", "a\nb"],
    "agent_directories": ["/usr:/", "/", "usr", "/usr\n"],
    "agent_prices": [
        "a-model=3/15",
        "a=0.25/1,b:8b=0/0",
        "a=1/2 a=1/2",
        "a=1",
        "a=x/1",
        "=1/2",
        " ",
        "a=1/1.0000001",
    ],
    "private_hosts": [
        "localhost",
        "git.lan, build.lan  localhost",
        "127.0.0.1",
        "git.lan:8443",
        "Git.lan",
        "*",
        " , ",
    ],
    "notify": ["off", "bell", "desktop", f"{os.path.realpath('/bin/sh')} -c 'a b'", "loud", "'"],
    "agent_url": ["http://127.0.0.1:11434", "HTTPS://Models.example.org/v1/", "models", "ftp://x"],
    "agent_key": ["env:ANTHROPIC_API_KEY", "file:/etc/key", "file:key", "sk-secret", "env:", "env:A-B"],
}


def test_both_know_the_same_settings() -> None:
    assert set(SETTINGS) == {field.name for field in fields(Settings)} - RECORDED - {"origins"}
    bare = Settings()
    for name, setting in SETTINGS.items():
        if name != "device_name":  # its default is the machine's name
            assert setting.default == getattr(bare, name)


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in VALUES.items() for value in values]
)
def test_both_say_the_same_of_a_value(tmp_path: Path, key: str, value: str) -> None:
    home = tmp_path / "home"
    verdicts: list[Any] = []
    try:
        verdicts.append(change({key: value}, Home(home))[key])
    except CliError:
        verdicts.append(None)
    try:
        verdicts.append(getattr(load_settings(tmp_path, flags={}, environ={variable(key): value}), key))
    except SettingsError:
        verdicts.append(None)
    assert verdicts[0] == verdicts[1]
    if verdicts[0] is not None:
        assert getattr(load_settings(home, flags={}, environ={}), key) == verdicts[0]


def test_a_change_keeps_the_other_keys_and_leaves_no_second_file(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    change({"broker": "http://x/"}, home)
    change({"local_port": "1"}, home)
    assert home.config() == {"broker": "http://x", "local_port": 1}
    change({"broker": None}, home)
    assert home.config() == {"local_port": 1}
    assert [path.name for path in home.path.iterdir()] == ["config.json"]


def test_the_first_source_that_names_a_value_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    monkeypatch.delenv("DISPATCH_BROKER", raising=False)
    assert find("broker", home, {}).origin == "default"
    change({"broker": "http://config"}, home)
    assert find("broker", home, {}).origin == "config.json"
    monkeypatch.setenv("DISPATCH_BROKER", "http://env")
    assert find("broker", home, {}).value == "http://env"
    assert find("broker", home, {"broker": "http://flag"}).value == "http://flag"
    monkeypatch.setenv("DISPATCH_BROKER", "nonsense")
    with pytest.raises(CliError, match="from DISPATCH_BROKER"):
        find("broker", home, {})
