import os
from pathlib import Path

import pytest

from sandbox.tools import write
from sandbox.tools.workplace import ToolError
from tests.support.workplaces import workplace


def test_it_creates_with_parents_and_overwrites(tmp_path: Path) -> None:
    place = workplace(tmp_path)
    assert "created" in write.run({"file_path": "a/b/c.txt", "content": "ü"}, place).output
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "ü"
    (tmp_path / "a" / "b" / "c.txt").chmod(0o755)
    assert "updated" in write.run({"file_path": str(tmp_path / "a/b/c.txt"), "content": ""}, place).output
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == ""
    assert (tmp_path / "a" / "b" / "c.txt").stat().st_mode & 0o777 == 0o755


def test_what_will_not_outlive_the_run_is_said_to_be_scratch(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    place = workplace(tmp_path, kept=(str(tmp_path / "kept"),))
    assert "scratch" in write.run({"file_path": "gone", "content": "x"}, place).output
    assert "scratch" not in write.run({"file_path": "kept/a", "content": "x"}, place).output
    (tmp_path / "way").symlink_to("kept")
    assert "scratch" not in write.run({"file_path": "way/b", "content": "x"}, place).output


def test_what_is_no_plain_file_is_not_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    for name in ("pipe", "dir", "file/below"):
        with pytest.raises(ToolError):
            write.run({"file_path": name, "content": "x"}, workplace(tmp_path))
