"""The home against a real file system: private, atomic, and unwilling to trust what others could touch."""

import os
import stat
from pathlib import Path

import pytest

from dispatch_daemon.adapters.home import HomeError, open_home, read_private, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_closed_to_everybody_else(tmp_path: Path) -> None:
    home = open_home(tmp_path / "deep" / "home")
    assert home.is_dir()
    assert mode(home) == 0o700


def test_an_open_home_is_closed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    assert mode(open_home(tmp_path / "home")) == 0o700


def test_a_home_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a directory")
    with pytest.raises(HomeError, match="cannot be used") as refused:
        open_home(tmp_path / "home")
    assert refused.value.code == "home_unusable"


def test_a_home_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(HomeError, match="belongs to another user") as refused:
        open_home(tmp_path / "home")
    assert "DISPATCH_HOME" in (refused.value.hint or "")


def test_a_private_file_is_0600_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_write_that_cannot_happen_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.mkdir()
    with pytest.raises(HomeError, match="cannot be written"):
        write_private(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "absent", max_bytes=10) is None


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"x")
    path.chmod(0o640)
    with pytest.raises(HomeError, match="mode 0640") as refused:
        read_private(path, max_bytes=10)
    assert refused.value.code == "home_unusable"
    assert refused.value.hint == f"chmod 600 {path}"


def test_a_link_a_pipe_and_a_large_file_are_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "real", b"x" * 11)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(HomeError, match="cannot be opened"):
        read_private(tmp_path / "link", max_bytes=100)
    with pytest.raises(HomeError, match="not a plain file"):
        read_private(tmp_path / "pipe", max_bytes=100)
    with pytest.raises(HomeError, match="larger than 10 bytes"):
        read_private(tmp_path / "real", max_bytes=10)
