"""What is read from files, and what a path means to the person who types it."""

import os
from pathlib import Path

import pytest

from dispatch_cli.errors import CliError
from dispatch_cli.reading import absolute, current_directory, read_steps, read_text, text_or_file
from dispatch_protocol.limits import STEPS_BYTES


def code_of(caught: "pytest.ExceptionInfo[CliError]") -> tuple[str, int]:
    return caught.value.code, caught.value.exit_code


def test_a_text_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("a\r\nb\ufeff".encode())
    assert read_text(str(path), "task") == "a\r\nb\ufeff"
    assert text_or_file(f"@{path}", "background") == "a\r\nb\ufeff"
    assert text_or_file("@@x", "background") == "@x"
    assert text_or_file("x", "background") == "x"


def test_a_text_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("12345")
    assert read_text(str(path), "task", limit=5) == "12345"
    with pytest.raises(CliError) as caught:
        read_text(str(path), "task", limit=4)
    assert code_of(caught) == ("too_long", 2)


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_steps_of_both_kinds_are_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"steps{suffix}"
    path.write_text('[{"tool": "Read", "input": {"file_path": "x"}}]')
    assert read_steps(str(path)) == [{"tool": "Read", "input": {"file_path": "x"}}]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "- tool: Read", "not valid JSON"),
        ("a.json", '[{"tool": 1, "tool": 2}]', "names a key twice"),
        ("a.json", "[NaN]", "NaN is no value"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.yaml", "tool: Read", "should be a list of steps"),
        ("a.yaml", "a: [", "neither JSON nor YAML"),
        ("a", "", "should be a list of steps"),
        ("a", '[{"limit": NaN}]', "NaN is no value"),
        ("a.json", '[{"limit": NaN}]', "NaN is no value"),
        ("a.json", '[{"input": {"limit": 1.5}}]', "1.5 is no whole number"),
        ("a.yaml", "- input: {limit: 1.5}", "1.5 is no whole number"),
        ("a.json", '[{"path": "\\ud800"}]', "lone surrogate"),
        ("a.json", '[{"\\ud800": 1}]', "lone surrogate"),
    ],
)
def test_steps_that_are_none(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CliError, match=said) as caught:
        read_steps(str(path))
    assert code_of(caught) == ("steps_invalid", 2)


def test_steps_have_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "steps.json"
    path.write_text("[" + " " * STEPS_BYTES + "]")
    with pytest.raises(CliError) as caught:
        read_steps(str(path))
    assert code_of(caught) == ("too_long", 2)


def test_a_path_starts_here_and_a_lost_directory_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setenv("HOME", "/home/bob")
    assert absolute("x/../y") == str(gone / "y")
    assert absolute("~/x") == "/home/bob/x"
    assert current_directory() == str(gone)
    gone.rmdir()
    assert current_directory() is None
    assert absolute("/x") == "/x"
    with pytest.raises(CliError, match="no longer exists"):
        absolute("x")
    os.chdir(tmp_path)
