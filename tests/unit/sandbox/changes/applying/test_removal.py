"""Whatever shape a run gave a tree, it can be removed, and nothing else is."""

import os
from pathlib import Path

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.removal import remove_tree
from tests.support.overlay import plant, snapshot


def remove(path: Path) -> None:
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        remove_tree(fd, path.name, Disk())
    finally:
        os.close(fd)


def test_an_ordinary_tree_and_nothing_beside_it(tmp_path: Path) -> None:
    plant(tmp_path, {"gone/a": "", "gone/d/e/f": "", "gone/0": "", "gone/1/0/1": "", "kept/a": "x"})
    remove(tmp_path / "gone")
    assert sorted(snapshot(tmp_path)) == ["kept", "kept/a"]


def test_directories_that_deny_everything(tmp_path: Path) -> None:
    plant(tmp_path / "gone", {"a/b/c": "", "a/d/e": ""})
    for directory in ("a/b", "a/d", "a", "."):
        (tmp_path / "gone" / directory).chmod(0)
    remove(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_a_tree_deeper_than_any_path(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "gone")
    fd = os.open(tmp_path / "gone", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    remove(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {"kept/a": "x", "gone/link": "-> ../kept", "gone/d/link": "-> ../../kept/a", "link": "-> kept"},
    )
    remove(tmp_path / "gone")
    remove(tmp_path / "link")
    assert sorted(snapshot(tmp_path)) == ["kept", "kept/a"]


def test_pipes_and_single_files(tmp_path: Path) -> None:
    plant(tmp_path, {"gone": None, "file": "x"})
    os.mkfifo(tmp_path / "gone/pipe")
    remove(tmp_path / "gone")
    remove(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_nothing_there_is_fine(tmp_path: Path) -> None:
    remove(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_interrupted_anywhere_and_called_again(tmp_path: Path) -> None:
    class Interrupted(Exception):  # noqa: N818 - an interruption is no error
        """Stands for the process dying."""

    def interrupt_at(number: int) -> Disk:
        seen = 0

        def at(_point: str) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                raise Interrupted

        return Disk(at)

    for number in range(1, 12):
        plant(tmp_path, {"gone/a": "", "gone/d/e/f": "", "gone/0/1": ""})
        fd = os.open(tmp_path, os.O_RDONLY)
        try:
            remove_tree(fd, "gone", interrupt_at(number))
        except Interrupted:
            remove_tree(fd, "gone", Disk())
        os.close(fd)
        assert list(tmp_path.iterdir()) == []
