"""Paths and names as a person writes them on one line."""

import os
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_cli.commands.trust import names, path_choices

PATH = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20).map(
    lambda text: "/x" + text
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/a", [("/a", "ro")]),
        ("/a:rw,/b:ro", [("/a", "rw"), ("/b", "ro")]),
        ("/a:b:rw", [("/a:b", "rw")]),
        ("/a:rx", [("/a:rx", "ro")]),
        (r"/a\,b:rw,/c", [("/a,b", "rw"), ("/c", "ro")]),
        (r"/a\\,/b\x", [("/a\\", "ro"), ("/b\\x", "ro")]),
        ("/a\\", [("/a\\", "ro")]),
        (",,/a,", [("/a", "ro")]),
        ("", []),
    ],
)
def test_paths(given: str, expected: list[tuple[str, str]]) -> None:
    assert [(choice["path"], choice["mode"]) for choice in path_choices((given,))] == expected


@given(PATH, st.sampled_from(["ro", "rw"]))
def test_any_name_can_be_written(path: str, mode: str) -> None:
    written = path.replace("\\", "\\\\").replace(",", "\\,")
    assert path_choices((f"{written}:{mode}",)) == [{"path": os.path.abspath(path), "mode": mode}]


def test_a_mode_without_a_path_is_refused() -> None:
    with pytest.raises(click.BadParameter):
        path_choices((":rw",))


def test_names() -> None:
    assert names("Read, Grep,,none") == ["Read", "Grep"]
    assert names("none") == []
    assert names("") == []
    assert names("*") == ["*"]


def test_a_mistyped_mode_is_not_the_end_of_a_name(tmp_path: Path) -> None:
    for typed in ("rx", "w", "RW"):
        with pytest.raises(click.BadParameter, match="is ro or rw, not"):
            path_choices((f"{tmp_path}:{typed}",))
    (tmp_path / "a:rx").mkdir()
    (tmp_path / "a").mkdir()
    for name in ("a:rx", "nowhere:rx", "a:copy"):
        assert path_choices((f"{tmp_path}/{name}",)) == [{"path": f"{tmp_path}/{name}", "mode": "ro"}]
