import os
from pathlib import Path

import pytest

from sandbox.tools import glob
from sandbox.tools.workplace import ToolError
from tests.support.workplaces import workplace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for age, name in enumerate(["old.py", "new.py", "sub/deep.py", "sub/x.txt", ".git/hook.py"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (age, age))
    return tmp_path


def found(root: Path, pattern: str, path: str | None = None) -> list[str]:
    given = {"pattern": pattern} | ({} if path is None else {"path": path})
    return [os.path.relpath(line, root) for line in glob.run(given, workplace(root)).output.splitlines()]


def test_the_last_changed_comes_first(root: Path) -> None:
    assert found(root, "**/*.py") == ["sub/deep.py", "new.py", "old.py"]
    assert found(root, "*.py") == ["new.py", "old.py"]


def test_a_path_or_an_absolute_pattern_starts_elsewhere(root: Path) -> None:
    assert found(root, "*.{py,txt}", "sub") == ["sub/x.txt", "sub/deep.py"]
    assert found(root, f"{root}/sub/*.txt") == ["sub/x.txt"]
    assert found(root, f"{root}/old.py") == ["old.py"]


def test_version_control_is_found_only_by_its_name(root: Path) -> None:
    assert found(root, ".git/*") == [".git/hook.py"]


def test_nothing_found_is_said(root: Path) -> None:
    assert glob.run({"pattern": "*.rs"}, workplace(root)).output == "No files found"


def test_more_than_a_hundred_are_cut(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f"{number}").touch()
    outcome = glob.run({"pattern": "*"}, workplace(tmp_path))
    assert len(outcome.output.splitlines()) == 100
    assert outcome.truncated


@pytest.mark.parametrize(
    "given", [{"pattern": "{a"}, {"pattern": "*", "path": "missing"}, {"pattern": "[z-a]"}]
)
def test_what_cannot_be_read_is_an_error(root: Path, given: dict[str, str]) -> None:
    with pytest.raises(ToolError):
        glob.run(given, workplace(root))
