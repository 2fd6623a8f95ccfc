"""The lock of a home between real processes: one daemon, a second one told who holds it, nothing stale."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.lock import HomeBusyError, HomeLock, recorded_pid

HOLDER = """
import sys
from pathlib import Path
from dispatch_daemon.adapters.lock import HomeLock
lock = HomeLock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_daemon_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HomeBusyError, match=f"pid {holder.pid}") as busy:
            HomeLock.take(tmp_path)
        assert busy.value.pid == holder.pid
        assert busy.value.code == "daemon_running"
        holder.send_signal(signal.SIGKILL)
    HomeLock.take(tmp_path).release()


def test_a_released_home_can_be_taken_again(tmp_path: Path) -> None:
    first = HomeLock.take(tmp_path)
    assert recorded_pid(tmp_path) == os.getpid()
    first.release()
    first.release()
    assert recorded_pid(tmp_path) is None
    HomeLock.take(tmp_path).release()


def test_a_holder_that_has_not_written_its_pid_is_still_a_holder(tmp_path: Path) -> None:
    lock = HomeLock.take(tmp_path)
    (tmp_path / "daemon.pid").write_text("not a number")
    with pytest.raises(HomeBusyError, match="another daemon"):
        HomeLock.take(tmp_path)
    lock.release()


def test_a_home_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="cannot be opened"):
        HomeLock.take(tmp_path / "absent")


def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(HomeError, match="No locks available") as refused:
        HomeLock.take(tmp_path)
    assert "local disk" in (refused.value.hint or "")


def test_a_pid_that_cannot_be_written_is_said_and_the_lock_given_back(tmp_path: Path) -> None:
    (tmp_path / "daemon.pid").mkdir()
    with pytest.raises(HomeError, match=r"daemon\.pid cannot be written") as refused:
        HomeLock.take(tmp_path)
    assert refused.value.code == "home_unusable"
    (tmp_path / "daemon.pid").rmdir()
    HomeLock.take(tmp_path).release()


def test_a_pid_that_cannot_be_removed_keeps_no_home_locked(tmp_path: Path) -> None:
    lock = HomeLock.take(tmp_path)
    (tmp_path / "daemon.pid").unlink()
    (tmp_path / "daemon.pid").mkdir()
    lock.release()
    (tmp_path / "daemon.pid").rmdir()
    HomeLock.take(tmp_path).release()
