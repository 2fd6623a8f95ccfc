import os
from pathlib import Path
from typing import Any

import pytest

from sandbox.tools import read
from sandbox.tools.workplace import Outcome, ToolError
from tests.support.workplaces import workplace


def reading(path: Path, **given: Any) -> Outcome:
    return read.run({"file_path": path.name} | given, workplace(path.parent, output_bytes=50_000))


def test_lines_are_numbered_from_one(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("a\nb\r\nc")
    assert reading(file).output == "     1\ta\n     2\tb\n     3\tc"
    assert reading(file, offset=2, limit=1).output == "     2\tb"


def test_a_limit_that_leaves_lines_out_says_so(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x\n" * 2001)
    outcome = reading(file)
    assert outcome.truncated
    assert outcome.output.splitlines()[-1] == "  2000\tx"
    assert not reading(file, limit=2001).truncated


def test_long_lines_and_large_files_are_cut(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("é" * 300_000 + "\nlast\n")
    outcome = reading(file)
    assert outcome.output == "     1\t" + "é" * 2000 + "\n     2\tlast"
    file.write_text(("y" * 1900 + "\n") * 100)
    assert reading(file).truncated


def test_what_is_no_text_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"\xff\n")
    assert reading(file).output == "     1\t\ufffd"


def test_empty_and_beyond_the_end_are_said(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.touch()
    assert "empty" in reading(file).output
    file.write_text("a\n")
    assert "no line 9" in reading(file, offset=9).output


def test_binary_missing_and_special_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"a\0b")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dir").mkdir()
    for name in ("binary", "pipe", "dir", "missing"):
        with pytest.raises(ToolError):
            reading(tmp_path / name)
    with pytest.raises(ToolError):
        read.run({"file_path": "/dev/zero"}, workplace(tmp_path))
