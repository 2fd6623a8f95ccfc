from pathlib import Path

import pytest

from sandbox.tools import edit
from sandbox.tools.workplace import ToolError
from tests.support.workplaces import workplace


def change(root: Path, old: str, new: str, *, every: bool = False) -> str:
    given = {"file_path": "f", "old_string": old, "new_string": new, "replace_all": every}
    return edit.run(given, workplace(root)).output


def test_the_only_occurrence_is_replaced_and_everything_else_kept(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a\r\nb\xc3\xbc\r\n")
    assert "1 replacement" in change(tmp_path, "bü", "c")
    assert (tmp_path / "f").read_bytes() == b"a\r\nc\r\n"


def test_every_occurrence_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x x")
    with pytest.raises(ToolError, match="2 times"):
        change(tmp_path, "x", "y")
    assert "2 replacements" in change(tmp_path, "x", "y", every=True)
    assert (tmp_path / "f").read_text() == "y y"


def test_an_empty_old_string_creates_a_new_file_only(tmp_path: Path) -> None:
    assert "created" in change(tmp_path, "", "new")
    with pytest.raises(ToolError, match="exists"):
        change(tmp_path, "", "again")
    assert (tmp_path / "f").read_text() == "new"


def test_what_cannot_be_edited_is_said_and_left(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="does not exist"):
        change(tmp_path, "a", "b")
    (tmp_path / "f").write_bytes(b"\xff")
    with pytest.raises(ToolError, match="UTF-8"):
        change(tmp_path, "a", "b")
    (tmp_path / "f").write_text("text")
    with pytest.raises(ToolError, match="not found"):
        change(tmp_path, "a", "b")
    with pytest.raises(ToolError, match="the same"):
        change(tmp_path, "a", "a")
    assert (tmp_path / "f").read_text() == "text"
