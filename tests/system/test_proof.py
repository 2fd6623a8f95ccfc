"""`dispatch prove`: what it says of an installation that holds, and that it cannot be talked into saying it of another."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dispatch_cli.proving import relay, wall
from dispatch_cli.proving.programs import Programs, ended_in_order
from dispatch_cli.proving.town import Town
from tests.support.dispatch_command import dispatch, environment
from tests.support.patience import poll


def processes_of(directory: Path) -> list[str]:
    """Return the command lines that name a directory; only this test's own processes can."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in line:
            found.append(line.replace(b"\0", b" ").decode())
    return found


def test_everything_is_stopped_every_control_lives_and_nothing_is_left(place: Path) -> None:
    ended = dispatch(place / "home", "prove", "--json", TMPDIR=str(place))

    report = json.loads(ended.out)
    unproven = [each for each in report["attempts"] if not (each["stopped"] and each["control"])]
    assert (ended.code, report["ok"], unproven) == (0, True, [])
    kinds = [each["kind"] for each in report["attempts"]]
    assert (kinds.count("relay"), kinds.count("escape")) == (len(relay.ATTACKS), len(wall.ESCAPES))
    assert list(place.iterdir()) == [], "not even a home was made for the person"
    assert processes_of(place) == []


def test_broken_off_it_leaves_nothing_behind(place: Path) -> None:
    proof = subprocess.Popen(
        [sys.executable, "-m", "dispatch_cli", "prove"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(place / "home", TMPDIR=str(place)),
    )
    assert proof.stderr is not None
    poll(lambda: len(processes_of(place)) >= 1, "a program of the proof runs")
    proof.send_signal(signal.SIGTERM)
    proof.communicate()

    assert proof.returncode == 128 + signal.SIGTERM
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_broken_off_in_the_moment_in_which_a_program_starts_it_ends_that_one_too(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        child: subprocess.Popen[bytes] = start(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return child

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    programs = Programs(place)
    try:
        with pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)), ended_in_order():
            programs.child(
                sys.executable, "-c", "import signal; signal.pause()", str(place), env=dict(os.environ)
            )
        assert len(processes_of(place)) == 1
    finally:
        programs.end()
    assert processes_of(place) == []


def test_a_daemon_without_its_checks_is_not_called_proven(place: Path) -> None:
    """The two are changed over: the one that should hold checks nothing, and the control checks everything."""
    programs = Programs(place)
    town = Town(programs)
    try:
        town.open(careless="bob")
        attempts = list(relay.attempts(town))
    finally:
        programs.end()

    assert [each.stopped for each in attempts] == [False] * len(relay.ATTACKS), attempts
    assert [each.control for each in attempts] == [False] * len(relay.ATTACKS), attempts


def test_without_a_wall_no_escape_is_called_stopped(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = place / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "grep", "tr", "sleep"):
        found = next(path for path in (Path("/usr/bin", name), Path("/bin", name)) if path.exists())
        (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr("sandbox.wall.machine.BUBBLEWRAP", str(tools / "bwrap"))
    programs = Programs(place)
    try:
        attempts = list(wall.attempts(programs))
    finally:
        programs.end()

    assert [each.stopped for each in attempts] == [False] * len(wall.ESCAPES), attempts
    assert all("bubblewrap" in each.seen for each in attempts), attempts
    assert all(each.control for each in attempts), "the attacks themselves work"
