"""Settings that are changed at the door: kept as if typed, within their bounds, and only those that a page may decide."""

import json
from pathlib import Path

import pytest

from dispatch_daemon.adapters.chosen_settings import AT_THE_DOOR, TypedOnlyError, keep
from dispatch_daemon.adapters.settings import NAMES, SettingsError, load_settings, write_config


def test_what_is_kept_counts_at_the_next_start_and_the_rest_stays(tmp_path: Path) -> None:
    write_config(tmp_path, {"broker": "https://a.example"})
    keep(tmp_path, "file_bytes", "1000")
    keep(tmp_path, "approval_ui", "local")
    settings = load_settings(tmp_path, flags={}, environ={})
    assert (settings.file_bytes, settings.approval_ui) == (1000, "local")
    keep(tmp_path, "file_bytes", None)
    assert json.loads((tmp_path / "config.json").read_bytes()) == {
        "approval_ui": "local",
        "broker": "https://a.example",
    }


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(AT_THE_DOOR)))
def test_whatever_starts_a_program_holds_a_key_or_leads_elsewhere_is_typed(tmp_path: Path, name: str) -> None:
    with pytest.raises(TypedOnlyError) as refused:
        keep(tmp_path, name, "/usr/bin/env")
    assert refused.value.hint == f"dispatch config set {name} VALUE"
    assert not (tmp_path / "config.json").exists()


def test_a_program_that_calls_somebody_is_typed_and_a_word_is_not(tmp_path: Path) -> None:
    with pytest.raises(TypedOnlyError, match="off, bell, desktop"):
        keep(tmp_path, "notify", "/usr/bin/env")
    keep(tmp_path, "notify", "bell")
    assert load_settings(tmp_path, flags={}, environ={}).notify == "bell"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("file_bytes", "many", "should be a number of bytes"),
        ("file_bytes", "9" * 5000, "should be a number of bytes"),
        ("local_port", "65536", "from 0 to 65535"),
        ("device_name", "x" * 65, "at most 64"),
        ("agent_prices", "free", "MODEL=3/15"),
        ("brokr", "x", 'no setting "brokr"'),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_words(
    tmp_path: Path, name: str, value: str, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint) as refused:
        keep(tmp_path, name, value)
    assert refused.value.code == "config_invalid"
    assert not (tmp_path / "config.json").exists()
