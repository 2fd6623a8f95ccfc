"""A daemon for commands that need one: started once, said in one line, found again, stopped; or said to be missing."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatch_protocol.loopback import WHOAMI_NAME
from tests.support.dispatch_command import Ended, Terminal, command, dispatch, environment

_PROGRAM = "from tests.support.scripted_daemon import main\n\nmain()\n"


@pytest.fixture
def overlay(tmp_path: Path) -> str:
    """A stand-in for the daemon's package, in front of the real one."""
    package = tmp_path / "overlay" / "dispatch_daemon"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(_PROGRAM)
    return str(package.parent)


@pytest.fixture
def play(home: Path, overlay: str) -> Iterator[Callable[..., Ended]]:
    """Run commands whose daemon is the stand-in, and leave none behind."""

    def run(*arguments: str, **environ: str) -> Ended:
        return dispatch(home, *arguments, OVERLAY=overlay, **environ)

    yield run
    run("daemon", "stop")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_command_that_needs_a_daemon_starts_it_once(home: Path, play: Callable[..., Ended]) -> None:
    first = play("inbox")
    assert first.code == 0
    assert first.out.startswith("Nothing was sent to you yet.")
    [line] = first.err.splitlines()
    assert line.startswith(f"Started the daemon of {home} (pid ")
    assert line.endswith("http://127.0.0.1:1).")
    assert play("inbox").err == ""
    assert (home / "daemon.log").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_an_empty_inbox_says_how_it_fills(home: Path, play: Callable[..., Ended]) -> None:
    play("inbox")
    asked = (
        "Nothing was sent to you yet.\n"
        "  give yourself a task with           dispatch send me 'a task'\n"
        "  sign in to be sent something with   dispatch login --broker URL --email YOU\n"
    )
    assert play("inbox").out == asked
    (home / WHOAMI_NAME).write_text('{"user": "bob@example.org"}')
    assert "dispatch invitations" in play("inbox").out
    assert "dispatch login" not in play("inbox").out


def test_the_daemon_outlives_the_command_and_its_terminal(
    home: Path, overlay: str, play: Callable[..., Ended]
) -> None:
    with Terminal(
        home, "daemon", "start", PYTHONPATH=f"{overlay}{os.pathsep}{environment(home)['PYTHONPATH']}"
    ) as terminal:
        assert terminal.end() == 0
    status = play("daemon", "status", "--json").json
    assert status["running"] is True
    assert alive(status["pid"])
    assert play("daemon", "stop", "--json").json["running"] is False
    assert not (home / "daemon.sock").exists()
    assert play("daemon", "status", "--json").json == {
        "running": False,
        "pid": None,
        "version": None,
        "door": None,
        "socket": str(home / "daemon.sock"),
    }


def test_starting_a_running_daemon_starts_no_second(play: Callable[..., Ended]) -> None:
    pids = {play("daemon", "start", "--json").json["pid"] for _ in range(2)}
    assert len(pids) == 1


def test_commands_that_start_together_find_one_daemon(
    home: Path, overlay: str, play: Callable[..., Ended]
) -> None:
    settings = environment(home, OVERLAY=overlay)
    together = [
        subprocess.Popen(
            command("inbox", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=settings
        )
        for _ in range(4)
    ]
    ends = [process.communicate(timeout=30) for process in together]
    assert [process.returncode for process in together] == [0, 0, 0, 0], ends
    assert sum(err.count(b"Started") for _, err in ends) == 1
    assert play("daemon", "status", "--json").json["running"] is True


def test_a_daemon_that_dies_is_said_with_its_last_words(home: Path, play: Callable[..., Ended]) -> None:
    ended = play("inbox", SCRIPTED_DAEMON="dies")
    assert ended.code == 5
    assert "The daemon could not be started: The journal is damaged: page 7." in ended.err
    assert ended.err.endswith("next   dispatch daemon logs\n")
    assert "The journal is damaged" in play("daemon", "logs").out
    assert "The journal is damaged: page 7." in play("daemon", "logs", "-n", "1", "--json").json["lines"]
    assert str(home / "daemon.log") == play("daemon", "logs", "--json").json["path"]


def test_an_error_of_the_daemon_keeps_its_next_command(play: Callable[..., Ended]) -> None:
    ended = play("inbox", "--json", SCRIPTED_DAEMON="refuses")
    assert ended.json["error"]["message"] == "The daemon could not be started: the config is wrong"
    assert ended.json["error"]["hint"] == "dispatch config path"


def test_a_daemon_that_says_something_else_is_not_ready(play: Callable[..., Ended]) -> None:
    ended = play("inbox", SCRIPTED_DAEMON="babbles")
    assert ended.code == 5
    assert "its log says nothing" in ended.err


def test_a_long_log_is_put_aside_when_a_daemon_starts(home: Path, play: Callable[..., Ended]) -> None:
    home.mkdir(mode=0o700)
    (home / "daemon.log").write_bytes(b"old\n" * 1_200_000)
    assert play("inbox").code == 0
    assert (home / "daemon.log.1").read_bytes().startswith(b"old")
    assert b"old" not in (home / "daemon.log").read_bytes()


@pytest.mark.parametrize("arguments", [("inbox",), ("send", "me", "x"), ("watch", "--all"), ("contacts",)])
def test_with_no_start_a_missing_daemon_is_exit_5(home: Path, arguments: tuple[str, ...]) -> None:
    ended = dispatch(home, *arguments, "--no-start", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (5, "daemon_not_running")
    assert ended.json["error"]["hint"] == "dispatch daemon start"
    assert not home.exists()


def test_these_commands_start_nothing(home: Path) -> None:
    for arguments in (
        ("version",),
        ("config", "get"),
        ("config", "path"),
        ("daemon", "status"),
        ("daemon", "stop"),
        ("whoami", "--no-start"),
    ):
        assert dispatch(home, *arguments).code == 0
    assert dispatch(home, "daemon", "logs").code == 6
    assert dispatch(home, "verify", "nowhere").code == 6
    assert not home.exists()


def test_whoami_reads_the_home_where_no_daemon_is(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "config.json").write_text('{"broker": "http://127.0.0.1:8000"}')
    who = dispatch(home, "whoami", "--no-start", "--json").json
    assert (who["user"], who["identity"], who["device"]) == (None, None, None)
    assert who["broker"] == "http://127.0.0.1:8000"
    device = {"id": "d1" * 32, "name": "laptop"}
    last = {"user": "bob@example.org", "identity": "e2" * 32, "device": device, "broker": "https://b"}
    (home / WHOAMI_NAME).write_text(json.dumps(last))
    who = dispatch(home, "whoami", "--no-start", "--json").json
    assert {name: who[name] for name in last} == last
    assert who["daemon"]["running"] is False
    (home / WHOAMI_NAME).write_text("[]")
    assert dispatch(home, "whoami", "--no-start", "--json").json["user"] is None
    assert "not running" in dispatch(home, "whoami", "--no-start").out


def test_a_daemon_that_does_not_answer_is_ended_by_its_lock(home: Path, play: Callable[..., Ended]) -> None:
    play("daemon", "start")
    (home / "daemon.sock").unlink()
    assert play("daemon", "stop").out == "Stopped.\n"
    assert play("daemon", "stop").out == "The daemon was not running.\n"


def test_run_becomes_the_daemon(home: Path, overlay: str) -> None:
    process = subprocess.Popen(
        command("daemon", "run", "--local-port", "0"),
        stdout=subprocess.PIPE,
        env=environment(home, OVERLAY=overlay),
    )
    assert process.stdout is not None
    with process, process.stdout as output:
        assert output.readline() == b"listening on http://127.0.0.1:1\n"
        assert int((home / "daemon.pid").read_text()) == process.pid
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_the_log_can_be_followed(home: Path) -> None:
    home.mkdir(mode=0o700)
    log = home / "daemon.log"
    log.write_text("first\n")
    with Terminal(home, "daemon", "logs", "--follow") as terminal:
        terminal.expect("first")
        with log.open("a") as file:
            file.write("second\x1b[2J\n")
        terminal.expect("second⟨U+001B⟩[2J")
        log.write_text("3rd\n")
        terminal.expect("3rd")
        terminal.press("\x03")
        assert terminal.end() == 130
    assert dispatch(home, "daemon", "logs", "--follow", "--json").code == 2
