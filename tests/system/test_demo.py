"""The demonstration is the system test of the story that the README tells."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dispatch_command import dispatch
from tests.support.neighbourhood import changed, git
from tests.support.patience import poll
from tests.support.processes import alive, naming

ROOT = Path(__file__).resolve().parents[2]


def third_party(place: Path, package: str) -> Path:
    """Put the sources of an installed package under Git."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    repository = place / package
    shutil.copytree(
        Path(spec.origin).parent, repository, ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "x")
    return repository


def demo(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the demonstration's own program; the installation before it is not ours to repeat here."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | environ,
    )


@pytest.mark.parametrize(
    ("package", "answer", "changes"),
    [("click", "approve", 1), ("websockets", "deny", 0), ("click", "decline", 0)],
)
@pytest.mark.timeout(300)
def test_third_party_repository_changes_exactly_as_the_result_says(
    place: Path, package: str, answer: str, changes: int
) -> None:
    repository = third_party(place, package)
    done = demo("--repo", str(repository), "--in-place", "--answer", answer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(changed(repository)) == changes


@pytest.mark.timeout(120)
def test_what_is_no_repository_is_said_and_left_alone(place: Path) -> None:
    done = demo("--repo", str(place))
    assert done.returncode == 1
    assert "is not a Git repository" in done.stdout


@pytest.mark.timeout(300)
def test_what_is_kept_can_be_used_and_ends_as_it_is_said(place: Path) -> None:
    done = demo("--repo", str(third_party(place, "click")), "--keep", TMPDIR=str(place))
    assert done.returncode == 0, done.stdout + done.stderr
    homes = [Path(home) for home in re.findall(r"DISPATCH_HOME=(\S+)", done.stdout)]
    (pid,) = re.findall(r"`kill (\d+)`", done.stdout)
    try:
        boxes = [dispatch(home, "inbox", "--no-start", "--json").json["dispatches"] for home in homes]
        assert [len(box) for box in boxes] == [0, 1]
    finally:
        os.kill(int(pid), signal.SIGTERM)
        stopped = [dispatch(home, "daemon", "stop").out for home in homes]
    assert stopped == ["Stopped.\n"] * 2
    poll(lambda: not alive(int(pid)), "the broker ends")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_interrupted_leaves_nothing_behind(place: Path, number: signal.Signals) -> None:
    """Ctrl-C, a kill and a closed terminal come in the middle of a command, while a daemon is being started."""
    running = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "scripts" / "demo.py"),
            "--repo",
            str(third_party(place, "click")),
            "--keep",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(place)},
        start_new_session=True,
    )
    (directory,) = poll(lambda: list(place.glob("dispatch-demo-*")), "it began")
    poll((directory / "alice").exists, "a daemon makes its home")
    if number is signal.SIGINT:
        os.killpg(running.pid, number)  # as a terminal does
    else:
        running.send_signal(number)
    told, _ = running.communicate()
    assert (running.returncode, told.splitlines()[-1]) == (128 + number, "Interrupted.")
    assert not directory.exists()
    assert naming(str(directory)) == []


@pytest.mark.timeout(300)
def test_what_failed_is_not_kept(place: Path) -> None:
    repository = third_party(place, "click")
    (repository / "unborn").mkdir()
    git(repository / "unborn", "init", "--quiet")
    done = demo("--repo", str(repository / "unborn"), "--in-place", "--keep", TMPDIR=str(place))
    assert done.returncode == 1
    assert "The demonstration failed" in done.stdout
    assert list(place.glob("dispatch-demo-*")) == []
