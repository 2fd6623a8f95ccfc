"""The demonstration is the system test of the story that the README tells."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.neighbourhood import changed, git

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


def demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the demonstration's own program; the installation before it is not ours to repeat here."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
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
