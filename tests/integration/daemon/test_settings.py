"""Settings from real files and environments: the strongest origin wins, is remembered, and nothing is guessed."""

import json
import stat
from pathlib import Path

import pytest

from dispatch_daemon.adapters.home import HomeError, write_private
from dispatch_daemon.adapters.settings import (
    NAMES,
    Origin,
    SettingsError,
    home_from,
    load_settings,
    write_config,
)


def configure(home: Path, text: str) -> None:
    write_private(home / "config.json", text.encode())


def test_defaults_say_that_they_are_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, flags={}, environ={})
    assert settings.broker is None
    assert settings.local_port == 8001
    assert settings.key_backend == "auto"
    assert settings.approval_ui == "picker"
    assert settings.device_name
    assert {settings.origin(name) for name in NAMES} == {Origin.DEFAULT}


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    configure(tmp_path, '{"broker": "http://file:1", "local_port": 1001, "approval_ui": "form"}')
    environ = {"DISPATCH_BROKER": "http://env:1", "DISPATCH_LOCAL_PORT": "1002", "DISPATCH_DOOR": "ignored"}
    settings = load_settings(tmp_path, flags={"broker": "http://flag:1", "local_port": None}, environ=environ)
    assert (settings.broker, settings.origin("broker")) == ("http://flag:1", Origin.FLAG)
    assert (settings.local_port, settings.origin("local_port")) == (1002, Origin.ENVIRONMENT)
    assert (settings.approval_ui, settings.origin("approval_ui")) == ("form", Origin.CONFIG)
    assert (settings.key_backend, settings.origin("key_backend")) == ("auto", Origin.DEFAULT)
    assert settings.door is None


def test_an_empty_variable_is_unset(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, flags={}, environ={"DISPATCH_BROKER": "", "DISPATCH_LOCAL_PORT": ""})
    assert settings.origin("broker") is Origin.DEFAULT


@pytest.mark.parametrize(
    ("spelt", "kept"),
    [
        ("https://Broker.Example.org/", "https://broker.example.org"),
        ("HTTP://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("https://example.org/dispatch/", "https://example.org/dispatch"),
    ],
)
def test_a_broker_has_one_spelling(tmp_path: Path, spelt: str, kept: str) -> None:
    assert load_settings(tmp_path, flags={"broker": spelt}, environ={}).broker == kept


@pytest.mark.parametrize(
    "broker",
    [
        "broker.example.org",
        "ftp://a",
        "https://",
        "https://me:pw@a",
        "https://a?b",
        "https://a#b",
        "http://a:b",
        "http://[::1",
    ],
)
def test_an_address_that_is_no_broker_is_refused(tmp_path: Path, broker: str) -> None:
    with pytest.raises(SettingsError, match=r"broker \(from --broker\)"):
        load_settings(tmp_path, flags={"broker": broker}, environ={})


@pytest.mark.parametrize("port", ["eighty", "-1", "65536", "8e3", "٣"])
def test_a_bad_variable_is_named(tmp_path: Path, port: str) -> None:
    with pytest.raises(SettingsError, match=r"local_port \(from DISPATCH_LOCAL_PORT\)") as refused:
        load_settings(tmp_path, flags={}, environ={"DISPATCH_LOCAL_PORT": port})
    assert refused.value.code == "config_invalid"
    assert refused.value.hint == "dispatch config get local_port --show-origin"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"brokr": "https://a"}', 'no setting "brokr".*"broker" is the nearest'),
        ('{"zzz": 1}', 'no setting "zzz"'),
        ('{"broker": "https://a", "broker": "https://b"}', "duplicate key"),
        ('{"local_port": NaN}', "not valid JSON"),
        ('{"local_port": "8001"}', r"local_port \(from config.json\)"),
        (
            '{"approval_ui": "popup"}',
            r"approval_ui \(from config.json\) should be one of picker, form, local",
        ),
        ('{"approval_ui": ["form"]}', r"approval_ui \(from config.json\)"),
        ('{"local_port": true}', r"local_port \(from config.json\)"),
        ('{"device_name": ""}', r"device_name \(from config.json\)"),
        ('{"device_name": "a\\nb"}', r"device_name \(from config.json\)"),
        ('{"broker": 7}', r"broker \(from config.json\)"),
        ("[]", "JSON object"),
        ("", "not valid JSON"),
    ],
)
def test_a_file_that_does_not_mean_what_it_says_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    configure(tmp_path, text)
    with pytest.raises(SettingsError, match=complaint):
        load_settings(tmp_path, flags={}, environ={})


def test_a_file_that_others_may_change_is_refused(tmp_path: Path) -> None:
    configure(tmp_path, "{}")
    (tmp_path / "config.json").chmod(0o666)
    with pytest.raises(HomeError, match="changed by other users"):
        load_settings(tmp_path, flags={}, environ={})


def test_writing_keeps_what_was_not_mentioned(tmp_path: Path) -> None:
    write_config(tmp_path, {"broker": "https://a.example", "door": "http://127.0.0.1:8002"})
    write_config(tmp_path, {"approval_ui": "form", "door": None})
    path = tmp_path / "config.json"
    assert json.loads(path.read_bytes()) == {"broker": "https://a.example", "approval_ui": "form"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_unknown_flag_is_our_own_mistake_and_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='no setting "brokr"'):
        load_settings(tmp_path, flags={"brokr": "x"}, environ={})


@pytest.mark.parametrize("changes", [{"brokr": "x"}, {"local_port": "8001"}, {"broker": "nowhere"}])
def test_writing_what_could_not_be_read_is_refused(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        write_config(tmp_path, changes)
    assert not (tmp_path / "config.json").exists()


def test_the_home_comes_from_the_environment() -> None:
    assert home_from({"DISPATCH_HOME": "/srv/dispatch"}) == Path("/srv/dispatch")
    assert home_from({}) == Path.home() / ".dispatch"


def test_settings_cannot_be_changed_in_place(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, flags={}, environ={})
    with pytest.raises(AttributeError):
        settings.broker = "https://elsewhere"  # type: ignore[misc] - this is what is tested
