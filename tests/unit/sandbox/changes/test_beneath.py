"""Nothing is reached through a link, and nothing is replaced by a move."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.changes.beneath import (
    exchange,
    is_gone,
    kind_of,
    look,
    move,
    open_directory,
    open_file,
    open_root,
    parent_of,
    stamp_of,
    sync_file_system,
)
from sandbox.changes.change import Kind
from sandbox.errors import PathRefusedError
from tests.support.overlay import plant, snapshot

GONE = r"Errno (2|20|40)\]"  # no such file, no directory, a link


@pytest.fixture
def top(tmp_path: Path) -> Iterator[int]:
    plant(tmp_path, {"d/a": "a", "d/b": "b", "link": "-> d", "d/up": "-> ..", "file-link": "-> d/a"})
    fd = open_root(str(tmp_path))
    yield fd
    os.close(fd)


def test_a_root_is_compared_with_its_identity(tmp_path: Path) -> None:
    found = tmp_path.stat()
    os.close(open_root(str(tmp_path), (found.st_dev, found.st_ino)))
    with pytest.raises(PathRefusedError, match="path_changed"):
        open_root(str(tmp_path), (found.st_dev, found.st_ino + 1))


@pytest.mark.parametrize("path", ["link", "d/up", "d/a", "missing"])
def test_a_root_is_reached_through_directories_only(tmp_path: Path, top: int, path: str) -> None:
    with pytest.raises(OSError, match=GONE) as caught:
        open_root(f"{tmp_path}/{path}")
    assert is_gone(caught.value)


@pytest.mark.parametrize("path", ["link/a", "d/up/d/a", "d/a/x", "missing/a"])
def test_a_parent_is_reached_through_directories_only(top: int, path: str) -> None:
    with pytest.raises(OSError, match=GONE) as caught, parent_of(top, path):
        pass
    assert is_gone(caught.value)


def test_files_and_directories_are_opened_as_what_they_are(top: int) -> None:
    os.mkfifo("pipe", dir_fd=top)
    for name in ("file-link", "d", "pipe", "missing"):
        with pytest.raises(OSError, match=r"Errno (2|22|40)\]"):
            open_file(top, name)
    for name in ("link", "file-link", "missing"):
        with pytest.raises(OSError, match=GONE):
            open_directory(top, name)
    with parent_of(top, "d/a") as (dir_fd, name):
        fd = open_file(dir_fd, name)
    assert os.read(fd, 9) == b"a"


@pytest.mark.parametrize("flags", [True, False])
def test_a_move_replaces_nothing(tmp_path: Path, top: int, flags: bool) -> None:
    before = snapshot(tmp_path)
    with parent_of(top, "d/a") as (dir_fd, _):
        with pytest.raises(FileExistsError):
            move(dir_fd, "a", "b", flags=flags)
        assert snapshot(tmp_path) == before
        move(dir_fd, "a", "c", flags=flags)
    assert (tmp_path / "d/c").read_text() == "a"
    assert not (tmp_path / "d/a").exists()


def test_an_exchange_swaps_anything_with_anything(tmp_path: Path, top: int) -> None:
    exchange(top, "d", "file-link")
    assert (tmp_path / "file-link/a").read_text() == "a"
    assert (tmp_path / "d").is_symlink()


def test_kinds(tmp_path: Path, top: int) -> None:
    os.mkfifo("pipe", dir_fd=top)
    kinds = {name: kind_of(os.lstat(tmp_path / name).st_mode) for name in ("d", "d/a", "link", "pipe")}
    assert kinds == {"d": Kind.DIRECTORY, "d/a": Kind.FILE, "link": Kind.SYMLINK, "pipe": None}


def test_a_stamp_notices_a_change_and_no_growth_of_a_directory(tmp_path: Path, top: int) -> None:
    found = look(top, "d")
    assert found is not None
    assert stamp_of(found).size_bytes == 0
    before = stamp_of(os.stat(tmp_path / "d/a"))
    (tmp_path / "d/a").write_text("longer")
    assert stamp_of(os.stat(tmp_path / "d/a")) != before


def test_looking_at_nothing_is_none(top: int) -> None:
    assert look(top, "missing") is None


def test_a_file_system_can_be_synced_and_a_closed_descriptor_not(top: int) -> None:
    sync_file_system(top)
    closed = os.dup(top)
    os.close(closed)
    with pytest.raises(OSError, match=r"Errno 9\]"):
        sync_file_system(closed)
