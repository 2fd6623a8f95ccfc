"""Which files Git would ignore, found from its files alone."""

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.changes.git.scope import scope_of
from tests.support.overlay import plant


def git(directory: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(directory), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def ignores(directory: Path, path: str) -> bool:
    """Ask as the walk does: from the grant downwards, stopping where a directory is ignored."""
    scope = scope_of(directory)
    *parents, name = path.split("/")
    for parent in parents:
        if scope.ignores(parent, is_directory=True):
            return True
        scope = scope.enter(parent)
    return scope.ignores(name, is_directory=False)


def test_without_a_repository_nothing_is_ignored(tmp_path: Path) -> None:
    plant(tmp_path, {".gitignore": "*"})
    assert not ignores(tmp_path, "a")
    assert not ignores(tmp_path, "d/a")


def test_an_empty_directory_of_the_name_is_no_repository(tmp_path: Path) -> None:
    plant(tmp_path, {".gitignore": "*", ".git/x": ""})
    assert not ignores(tmp_path, "a")


def test_deeper_rules_win(top: Path) -> None:
    plant(top, {".gitignore": "*.log\n", "d/.gitignore": "!keep.log\n*.tmp\n"})
    assert ignores(top, "a.log")
    assert ignores(top, "d/a.log")
    assert not ignores(top, "d/keep.log")
    assert ignores(top, "d/x.tmp")
    assert not ignores(top, "x.tmp")


def test_nothing_in_an_ignored_directory_comes_back(top: Path) -> None:
    plant(top, {".gitignore": "out/\n", "out/.gitignore": "!*\n"})
    assert ignores(top, "out/a")
    assert ignores(top, "out/deep/a")


def test_the_private_excludes_count_last(top: Path) -> None:
    plant(top, {".git/info/exclude": "*.local\n*.x\n", ".gitignore": "!b.local\n"})
    assert ignores(top, "a.local")
    assert not ignores(top, "b.local")


def test_what_is_tracked_is_not_ignored(top: Path) -> None:
    plant(top, {".gitignore": "*.gen\nout/\n", "a.gen": "x", "out/deep/kept": "x"})
    git(top, "add", "-f", "a.gen", "out/deep/kept")
    assert not ignores(top, "a.gen")
    assert ignores(top, "b.gen")
    assert not ignores(top, "out/deep/kept")
    assert ignores(top, "out/deep/other")
    assert ignores(top, "out/other")


def test_a_grant_below_the_top(top: Path) -> None:
    plant(top, {".gitignore": "sub/out\n", "sub/.gitignore": "*.x\n", "sub/in/a": ""})
    assert ignores(top / "sub", "out")
    assert ignores(top / "sub/in", "b.x")
    assert not ignores(top / "sub/in", "out")


def test_a_linked_worktree(top: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    plant(top, {".gitignore": "*.log\n", "kept.log": "x"})
    git(top, "add", "-f", "-A")
    git(top, "commit", "-qm", "x")
    plant(top, {".git/info/exclude": "*.private\n"})
    tree = tmp_path_factory.mktemp("trees") / "linked"
    git(top, "worktree", "add", "-q", str(tree))
    assert ignores(tree, "a.log")
    assert ignores(tree, "a.private")
    assert not ignores(tree, "kept.log")


def test_a_nested_repository_judges_for_itself(top: Path) -> None:
    plant(top, {".gitignore": "*.log\ninner\n"})
    (top / "inner").mkdir()
    git(top / "inner", "init", "-q")
    assert not ignores(top, "inner/a.log")


def test_rules_behind_a_link_or_a_pipe_are_no_rules(
    top: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rules = tmp_path_factory.mktemp("elsewhere") / "rules"
    rules.write_text("*")
    (top / ".gitignore").symlink_to(rules)
    os.mkfifo(top / ".git/info/exclude.fifo")
    plant(top, {"d": None})
    os.mkfifo(top / "d/.gitignore")
    assert not ignores(top, "a")
    assert not ignores(top, "d/a")


def test_a_pointer_to_nowhere_is_no_repository(tmp_path: Path) -> None:
    plant(tmp_path, {".git": "gitdir: /nonexistent\n", ".gitignore": "*"})
    assert not ignores(tmp_path, "a")


def test_too_large_a_file_of_rules_is_none(top: Path) -> None:
    (top / ".gitignore").write_text("*\n" + "#" * (4 * 1024 * 1024))
    assert not ignores(top, "a")
