"""Homes and environments as they are not in the manual: closed, open, shared, nameless, in another alphabet."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dispatch_command import ROOT, dispatch
from tests.support.neighbourhood import Person
from tests.support.small_disk import on_a_small_disk

STORIES = Path(__file__).parent / "stories"


def in_words(ended: "subprocess.CompletedProcess[str]") -> str:
    """Return what a command said; never a traceback."""
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_without_home_in_the_environment_the_user_database_says_where_it_is() -> None:
    environ = {name: value for name, value in os.environ.items() if name not in {"HOME", "DISPATCH_HOME"}}
    ended = subprocess.run(
        [sys.executable, "-m", "dispatch_cli", "config", "path", "--json"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, in_words(ended)
    assert ended.stdout.startswith("{")
    assert "/.dispatch/config.json" in ended.stdout


def test_a_locale_that_is_not_utf8_carries_every_alphabet(place: Path) -> None:
    bob = Person("bob", place)
    bob.daemon.start()
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "DISPATCH_KEY_BACKEND": "file"}
    task = "Grüße ☃ und 漢字"
    sent = dispatch(bob.home, "send", "me", task, "--json", **plain)
    assert sent.code == 0, sent.err
    assert bob.status(sent.json["dispatch_id"])["task"] == task
    assert dispatch(bob.home, "inbox", **plain).code == 0
    refused = dispatch(bob.home, "send", "me", b"\xff\xfe", "--json", **plain)
    assert (refused.code, refused.json["error"]["code"]) == (2, "not_encodable")
    bob.daemon.stop()


def test_an_open_umask_opens_nothing(place: Path) -> None:
    bob = Person("bob", place)
    before = os.umask(0)
    try:
        bob.daemon.start()
    finally:
        os.umask(before)
    job = bob.do("send", "me", "Note")["dispatch_id"]
    bob.do("accept", job, "--cwd", str(place))
    bob.until(job, "failed", "completed")
    bob.do("result", job)
    opened = [
        path
        for path in [bob.home, *bob.home.rglob("*")]
        if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_socket()
    ]
    assert opened == []
    bob.daemon.stop()


def test_a_home_that_others_could_read_is_closed_and_open_keys_are_not_used(place: Path) -> None:
    bob = Person("bob", place)
    bob.daemon.start()
    bob.daemon.stop()
    bob.home.chmod(0o755)
    bob.daemon.start()
    assert stat.S_IMODE(bob.home.stat().st_mode) == 0o700
    bob.daemon.stop()
    keys = bob.home / "keys.json"
    keys.chmod(0o644)
    said = bob.do("inbox", code=5)["error"]
    assert "can be read or changed by other users" in said["message"]
    assert said["hint"] == f"chmod 600 {keys}"
    keys.chmod(0o600)
    assert bob.do("inbox")["dispatches"] == []
    bob.do("daemon", "stop")


@pytest.mark.parametrize(
    "command", ["inbox", "doctor", "whoami", "send me hello", "config set broker http://[::1]:1"]
)
def test_a_home_that_is_a_file_is_said(place: Path, command: str) -> None:
    home = place / "file"
    home.touch()
    ended = dispatch(home, *command.split())
    assert ended.code == 1
    assert "Traceback" not in ended.out + ended.err
    assert str(home) in ended.out + ended.err
    assert "The output could not be written" not in ended.err


def test_a_home_too_deep_for_a_socket_is_served_by_a_short_one(place: Path) -> None:
    deep = place / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    bob = Person("bob", deep)
    bob.daemon.start()
    socket = bob.do("daemon", "status")["socket"]
    assert len(os.fsencode(socket)) <= 103
    assert not Path(socket).is_relative_to(bob.home)
    assert bob.do("inbox")["dispatches"] == []
    bob.daemon.stop()
    assert not Path(socket).exists()


def test_a_home_on_a_disk_that_may_only_be_read_is_said_and_nothing_breaks(place: Path) -> None:
    ended = on_a_small_disk(STORIES / "read_only.py", place / "disk", "32m")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_home_of_somebody_else_is_said(place: Path) -> None:
    """As root: a home that root made, met by a user afterwards. As a user: a place that root keeps closed."""
    bob = Person("bob", place)
    home, become = Path("/root/home"), []
    if os.geteuid() == 0:
        bob.daemon.start()
        bob.daemon.stop()
        place.chmod(0o755)
        home, become = bob.home, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for command in (["inbox"], ["send", "me", "hello"], ["daemon", "start"]):
        ended = subprocess.run(
            [*become, sys.executable, "-m", "dispatch_cli", "--home", str(home), *command],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT)},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1, in_words(ended)
        expected = "belongs to another user (uid 0)" if become else "may not be read"
        assert f"{home} {expected}." in in_words(ended)
