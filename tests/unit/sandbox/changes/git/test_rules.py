"""Ignore patterns match as Git's own do, in bounded time."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.changes.git.rules import Pattern, parse

ATOMS = (
    *("a", "b", "ab", "c", ".", "-", "]", "^", "#", "!", " ", "\\ ", "\\", "\\*", "\\#", "/"),
    *(
        "*",
        "**",
        "?",
        "[ab]",
        "[!a]",
        "[^b]",
        "[a-c]",
        "[a\\-c]",
        "[]a]",
        "[[:alpha:]]",
        "[[:x:]]",
        "[[:]",
        "[a-",
    ),
    *("[\\]]", "[--0]", "[c-a]", "[!]a]", "[[:digit:][:space:]]", "[\\", "é", "\r"),
)
NAMES = (
    "a",
    "b",
    "ab",
    "abc",
    "c",
    "*",
    "-",
    "a.b",
    "-a",
    "]",
    "^b",
    " a",
    "a ",
    "!a",
    "#a",
    "\\",
    "[a",
    "é",
    "0",
    "\\a",
)
PATTERNS = st.lists(
    st.lists(st.sampled_from(ATOMS), min_size=1, max_size=6).map("".join), min_size=1, max_size=4
)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


def ignored(patterns: Sequence[Pattern], path: str) -> bool:
    """Judge a file as Git walks to it: an ignored directory decides for everything in it."""
    parts = os.fsencode(path).split(b"/")
    for count in range(1, len(parts) + 1):
        is_directory = count < len(parts)
        for pattern in reversed(patterns):
            if pattern.matches(parts[:count], is_directory=is_directory):
                if is_directory and pattern.negated:
                    break
                return not pattern.negated
    return False


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    return path


def asked(repository: Path, text: str, paths: Sequence[str]) -> dict[str, bool]:
    (repository / ".gitignore").write_bytes(text.encode())
    command = ["git", "-C", str(repository), "-c", "core.excludesFile=", "check-ignore"]
    done = subprocess.run(
        [*command, "--no-index", "-z", "--stdin", "-v", "-n"],
        input="\0".join(paths).encode() + b"\0",
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    fields = done.stdout.decode().split("\0")[:-1]
    return {
        path: bool(pattern) and not pattern.startswith("!")
        for pattern, path in zip(fields[2::4], fields[3::4], strict=True)
    }


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns=PATTERNS, paths=st.lists(PATHS, min_size=5, max_size=25, unique=True))
def test_git_agrees(repository: Path, patterns: list[str], paths: list[str]) -> None:
    text = "\n".join(patterns)
    parsed = parse(text.encode())
    assert {path: ignored(parsed, path) for path in paths} == asked(repository, text, paths)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("build/", "build/x", True),
        ("build/", "build", False),
        ("*.log", "deep/down/x.log", True),
        ("/only", "only", True),
        ("/only", "sub/only", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("**/z", "z", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("trailing\\ ", "trailing ", True),
        ("trailing   ", "trailing", True),
        ("\\!bang", "!bang", True),
        ("\\#hash", "#hash", True),
        ("# comment", "# comment", False),
        ("[unclosed", "[unclosed", False),
        ("[[:nonsense:]]", "a", False),
        ("ends\\", "ends\\", False),
        ("crlf\r", "crlf", True),
        ("[c-a]", "b", False),
        ("?", "é", False),
        ("??", "é", True),
        ("", "a", False),
        ("/", "a", False),
    ],
)
def test_single_rules(pattern: str, path: str, expected: bool) -> None:
    assert ignored(parse(pattern.encode()), path) is expected


def test_a_byte_order_mark_is_no_part_of_the_first_pattern() -> None:
    assert ignored(parse(b"\xef\xbb\xbffirst\n"), "first")


def test_many_stars_cost_nothing() -> None:
    patterns = parse(b"*a" * 60 + b"*b\n" + b"**/" * 40 + b"x\n")
    began = time.perf_counter()
    assert not ignored(patterns, "/".join(["a" * 255] * 12))
    assert time.perf_counter() - began < 2
