"""The index of a real repository is read in each of its forms; a broken one tracks nothing."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.changes.git.index import Tracked, tracked

NAMES = ["a", "a.b", "a/b", "a/c/d", "zoë", "x" * 200, "deep/" * 20 + "file", "with space"]


def git(top: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(top), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-C", str(top), *arguments], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout


def repository(top: Path, *options: str) -> Path:
    git(top, "init", "-q", *options)
    for name in [name for name in NAMES if name != "a"]:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    git(top, "add", "-A")
    return top / ".git"


def listed(top: Path) -> tuple[bytes, ...]:
    return tuple(sorted(os.fsencode(name) for name in git(top, "ls-files", "-z").split("\0")[:-1]))


@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_every_version_and_hash(tmp_path: Path, version: str, object_format: str) -> None:
    directory = repository(tmp_path, f"--object-format={object_format}")
    git(tmp_path, "update-index", "--index-version", version)
    if version == "3":
        git(
            tmp_path, "update-index", "--skip-worktree", "a/b"
        )  # only an extended entry makes Git write version 3
    assert (directory / "index").read_bytes()[7] == int(version)
    assert tracked(directory).names == listed(tmp_path)


def test_a_split_index(tmp_path: Path) -> None:
    directory = repository(tmp_path)
    git(tmp_path, "update-index", "--split-index")
    (tmp_path / "later").write_text("x")
    git(tmp_path, "add", "later")
    assert list(directory.glob("sharedindex.*"))
    assert tracked(directory).names == listed(tmp_path)


def test_a_split_index_without_its_shared_part_tracks_nothing(tmp_path: Path) -> None:
    directory = repository(tmp_path)
    git(tmp_path, "update-index", "--split-index")
    for shared in directory.glob("sharedindex.*"):
        shared.unlink()
    assert tracked(directory) == Tracked()


def test_an_index_without_a_checksum(tmp_path: Path) -> None:
    directory = repository(tmp_path)
    index = (directory / "index").read_bytes()
    (directory / "index").write_bytes(index[:-20] + bytes(20))  # as `index.skipHash` has it written
    assert tracked(directory).names == listed(tmp_path)


def test_questions() -> None:
    index = Tracked((b"a/b", b"a/c/d", b"ab", b"sparse/"))
    assert index.holds(b"a/b")
    assert not index.holds(b"a")
    assert not index.holds(b"a/c")
    assert index.holds(b"sparse/deep/x")
    assert index.below(b"a")
    assert index.below(b"a/c")
    assert not index.below(b"ab")
    assert not index.below(b"a/b")
    assert not Tracked().holds(b"a")
    assert not Tracked().below(b"a")


def test_no_index_tracks_nothing(tmp_path: Path) -> None:
    assert tracked(tmp_path) == Tracked()


@pytest.mark.parametrize("version", ["2", "4"])
def test_an_index_that_is_cut_off_never_escapes(tmp_path: Path, version: str) -> None:
    directory = repository(tmp_path)
    git(tmp_path, "update-index", "--index-version", version)
    whole = (directory / "index").read_bytes()
    for length in range(0, len(whole), 7):
        (directory / "index").write_bytes(whole[:length])
        assert set(tracked(directory).names) <= set(listed_names(whole, directory, tmp_path))


def listed_names(whole: bytes, directory: Path, top: Path) -> tuple[bytes, ...]:
    present = (directory / "index").read_bytes()
    (directory / "index").write_bytes(whole)
    names = listed(top)
    (directory / "index").write_bytes(present)
    return names


@given(st.binary(max_size=400))
def test_nonsense_never_escapes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.mktemp("git")
    (directory / "index").write_bytes(b"DIRC\0\0\0" + data)
    assert isinstance(tracked(directory), Tracked)
