import os
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.wall import remains


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.iterdir())


def test_plain_files_are_kept_side_by_side_with_our_modes(source: Path, target: Path) -> None:
    (source / "cov").mkdir()
    (source / "cov" / "index.html").write_text("html")
    (source / "report.txt").write_text("text")
    (source / "report.txt").chmod(0o777)
    assert remains.collect(source, target) == ()
    assert names(target) == ["cov__index.html", "report.txt"]
    assert (target / "report.txt").read_text() == "text"
    assert (target / "report.txt").stat().st_mode & 0o7777 == 0o600


def test_links_pipes_and_odd_names_stay_behind(source: Path, target: Path) -> None:
    (source / "link").symlink_to("/etc/passwd")
    (source / "dir-link").symlink_to("/etc")
    os.mkfifo(source / "pipe")
    (source / "a\x1b[2Jb").touch()
    (source / os.fsdecode(b"\xff")).touch()
    (source / "-rf").touch()
    left = dict(remains.collect(source, target))
    assert set(left) == {"link", "dir-link", "pipe", "a\x1b[2Jb", "\\udcff", "-rf"}
    assert left["pipe"] == "not a plain file"
    assert names(target) == []


def test_a_saved_output_wins_over_a_file_of_its_name(source: Path, target: Path) -> None:
    (target / "out.txt").write_text("saved")
    (source / "out.txt").write_text("the run's")
    assert remains.collect(source, target) == (("out.txt", "a saved output has this name"),)
    assert (target / "out.txt").read_text() == "saved"


def test_what_is_too_large_in_all_stays_behind(source: Path, target: Path) -> None:
    with open(source / "big", "wb") as file:
        file.truncate(remains.MAX_BYTES + 1)
    (source / "small").write_text("x")
    assert remains.collect(source, target) == (("big", "too many or too large"),)
    assert names(target) == ["small"]


def test_too_deep_is_left_and_never_followed(source: Path, target: Path) -> None:
    deep = source / Path(*["d"] * (remains.MAX_DEPTH + 2))
    deep.mkdir(parents=True)
    (deep / "file").touch()
    assert len(remains.collect(source, target)) == 1
    assert names(target) == []


def test_files_that_a_person_names_are_copied_under_their_own_names(source: Path, target: Path) -> None:
    (source / "a.txt").write_text("a")
    remains.copy_files([str(source / "a.txt")], target)
    assert (target / "a.txt").read_text() == "a"
    for refused, word in (([source / "a.txt"], "has this name"), ([source], "not a plain file")):
        with pytest.raises(SandboxError, match=word) as raised:
            remains.copy_files([str(path) for path in refused], target)
        assert raised.value.code == "artifact_refused"
    (source / "b\x1b").touch()
    with pytest.raises(SandboxError, match="name"):
        remains.copy_files([str(source / "b\x1b")], target)
    with pytest.raises(FileNotFoundError):
        remains.copy_files([str(source / "none")], target)
