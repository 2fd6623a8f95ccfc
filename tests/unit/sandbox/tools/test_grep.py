import os
from pathlib import Path
from typing import Any

import pytest

from sandbox.tools import grep
from sandbox.tools.workplace import Outcome, ToolError
from tests.support.workplaces import workplace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    texts = {
        "a.py": "one\ntwo\nthree\nfour\n",
        "sub/b.txt": "Two\ntwo two\n",
        ".git/c": "two\n",
        "skip/d": "two\n",
    }
    for age, (name, text) in enumerate(texts.items()):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (age, age))
    (tmp_path / ".gitignore").write_text("skip/\n")
    (tmp_path / "binary").write_bytes(b"two\0")
    return tmp_path


def search(root: Path, **given: Any) -> Outcome:
    return grep.run(
        {name.replace("_", "-") if len(name) == 2 else name: value for name, value in given.items()},
        workplace(root),
    )


def lines(root: Path, **given: Any) -> list[str]:
    return search(root, **given).output.replace(f"{root}/", "").splitlines()


def test_files_with_matches_the_last_changed_first(root: Path) -> None:
    assert lines(root, pattern="two") == ["sub/b.txt", "a.py"]


def test_content_with_and_without_numbers(root: Path) -> None:
    assert lines(root, pattern="^two", output_mode="content") == ["a.py:2:two", "sub/b.txt:2:two two"]
    assert lines(root, pattern="^two", output_mode="content", _n=False) == ["a.py:two", "sub/b.txt:two two"]


def test_counts_are_lines(root: Path) -> None:
    assert lines(root, pattern="two", output_mode="count") == ["a.py:1", "sub/b.txt:1"]
    assert lines(root, pattern="TWO", output_mode="count", _i=True) == ["a.py:1", "sub/b.txt:2"]


def test_lines_around_a_match_come_once_with_a_mark_between_groups(root: Path) -> None:
    assert lines(root, pattern="one|four", output_mode="content", _A=1, path="a.py") == [
        "a.py:1:one",
        "a.py-2-two",
        "--",
        "a.py:4:four",
    ]
    assert lines(root, pattern="two", output_mode="content", _C=1, path="a.py") == [
        "a.py-1-one",
        "a.py:2:two",
        "a.py-3-three",
    ]


def test_a_match_over_several_lines(root: Path) -> None:
    given = {"pattern": "one.two", "output_mode": "content", "path": "a.py"}
    assert lines(root, **given) == ["No matches found"]
    assert lines(root, **given, multiline=True) == ["a.py:1:one", "a.py:2:two"]


def test_globs_and_types_choose_files(root: Path) -> None:
    assert lines(root, pattern="two", glob="*.py") == ["a.py"]
    assert lines(root, pattern="two", glob="sub/*.txt") == ["sub/b.txt"]
    assert lines(root, pattern="two", glob="!*.py") == ["sub/b.txt"]
    assert lines(root, pattern="two", type="py") == ["a.py"]
    assert lines(root, pattern="two", type="py", glob="*.txt") == ["No matches found"]


def test_a_named_file_is_searched_even_if_ignored(root: Path) -> None:
    assert lines(root, pattern="two", path="skip/d") == ["skip/d"]


def test_a_window_on_the_results(root: Path) -> None:
    outcome = search(root, pattern="o", output_mode="content", path="a.py", head_limit=1, offset=1)
    assert outcome.output.endswith("a.py:2:two")
    assert outcome.truncated


def test_the_end_of_a_file_is_no_line(root: Path) -> None:
    assert lines(root, pattern="^$", output_mode="content", path="a.py") == ["No matches found"]


@pytest.mark.parametrize(
    "given",
    [
        {"pattern": "("},
        {"pattern": "x", "glob": "{a"},
        {"pattern": "x", "type": "cobol"},
        {"pattern": "x", "path": "missing"},
    ],
)
def test_what_cannot_be_read_is_an_error(root: Path, given: dict[str, str]) -> None:
    with pytest.raises(ToolError):
        search(root, **given)
