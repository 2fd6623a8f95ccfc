"""Names that are never applied, names that stay behind, and the forms under which they hide."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.changes.change import Reason
from sandbox.changes.protected import (
    fold,
    ignorable,
    is_repository,
    name_flags,
    names_filter,
    refusal,
    staying,
)


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        ".GIT",
        ".Git",
        ".g\u200cit",
        "\u200b.git",
        ".gi\u00adt",
        ".\uff47it",
        ".gıt".replace("ı", "i"),
        ".git.",
        ".git ",
        ".git . .",
        "git~1",
        "GIT~1",
        ".git::$INDEX_ALLOCATION",
        ".git:stream",
        ".g\u2060\ufe0fit",
        "\ufeff.git",
        ".git\u202e",
        ".gi\U000e0074t".replace("\U000e0074", "\U000e0061"),
        ".gİt".replace("İ", "\u0049"),
    ],
)
def test_a_repository_hides_under_no_name(name: str) -> None:
    assert refusal(name) is Reason.GIT


@pytest.mark.parametrize(
    "name",
    [
        ".agents",
        ".Agents",
        ".mcp.json",
        ".claude",
        ".codex",
        ".cursor",
        ".vscode",
        ".idea",
        ".envrc",
        ".bashrc",
        ".profile",
        ".zshrc",
        ".ssh",
        ".dispatch",
        ".npmrc",
        ".netrc",
        ".gitmodules",
        ".SSH ",
        ".ﬃ".replace("ﬃ", "ssh"),
        ".dispatch-apply-abc-1",
    ],
)
def test_names_that_start_programs_are_refused(name: str) -> None:
    assert refusal(name) is Reason.PROTECTED


@pytest.mark.parametrize(
    "name", [".github", ".gitignore", "git", ".gitattributes", "env", ".env", "agents", ".x", "a.git"]
)
def test_other_names_are_not_refused(name: str) -> None:
    assert refusal(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.pyc", Reason.BYTECODE),
        ("a.PYO", Reason.BYTECODE),
        ("__pycache__", Reason.BYTECODE),
        ("a\n.pyc", Reason.BYTECODE),
        ("distutils-precedence.pth", Reason.PATH_FILE),
        ("python311._pth", Reason.PATH_FILE),
        ("libx.so", Reason.NATIVE_LIBRARY),
        ("libx.so.1", Reason.NATIVE_LIBRARY),
        ("libx.so.1.2.3", Reason.NATIVE_LIBRARY),
        ("x.cpython-311-x86_64-linux-gnu.so", Reason.NATIVE_LIBRARY),
        ("x.dylib", Reason.NATIVE_LIBRARY),
        ("x.DLL", Reason.NATIVE_LIBRARY),
        ("x.pyd", Reason.NATIVE_LIBRARY),
        ("addon.node", Reason.NATIVE_LIBRARY),
        ("a.py", None),
        ("also.sort", None),
        ("so", None),
        ("pth", None),
        ("node", None),
    ],
)
def test_what_stays_behind_by_its_name(name: str, reason: Reason | None) -> None:
    assert staying(name) is reason


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"HEAD", "objects", "refs"}, True),
        ({"HEAD", "objects", "refs", "config", "x"}, True),
        ({"head", "OBJECTS", "Refs"}, True),
        ({"HEAD", "commondir"}, True),
        ({"HEAD", "objects"}, False),
        ({"objects", "refs"}, False),
        ({"commondir"}, False),
        (set(), False),
    ],
)
def test_what_git_takes_for_a_repository(names: set[str], expected: bool) -> None:
    assert is_repository(names) is expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (b"*.bin filter=lfs", True),
        (b"* FILTER=x", True),
        (b"[attr]x filter=y", True),
        (b"*.md text", False),
        (b"", False),
    ],
)
def test_attributes_that_name_a_filter(attributes: bytes, expected: bool) -> None:
    assert names_filter(attributes) is expected


@pytest.mark.parametrize(
    ("path", "flags"),
    [
        ("Makefile", ("build",)),
        ("GNUmakefile", ("build",)),
        ("a/b/package.json", ("build",)),
        ("setup.py", ("build",)),
        ("vite.config.ts", ("build",)),
        ("conftest.py", ("test_setup",)),
        ("a.sh", ("script",)),
        (".github/workflows/x.yml", ("ci",)),
        (".github/workflows/run.sh", ("ci", "script")),
        (".gitlab-ci.yml", ("ci",)),
        ("Dockerfile", ("container",)),
        ("dev.Dockerfile", ("container",)),
        ("docker-compose.prod.yml", ("container",)),
        (".devcontainer/devcontainer.json", ("container",)),
        (".husky/pre-commit", ("git_hook",)),
        (".pre-commit-config.yaml", ("git_hook",)),
        (".gitattributes", ("git_attributes",)),
        ("AGENTS.md", ("agent_instructions",)),
        ("usercustomize.py", ("python_startup",)),
        (".env.local", ("secrets",)),
        ("src/app.py", ()),
        ("README.md", ()),
        ("makefile.txt", ()),
    ],
)
def test_what_is_pointed_out(path: str, flags: tuple[str, ...]) -> None:
    assert name_flags(path) == flags


@given(st.text())
def test_folding_a_folded_name_changes_nothing(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(st.sampled_from([".git", ".envrc", ".agents"]), st.data())
def test_ignorable_characters_hide_no_protected_name(name: str, data: st.DataObject) -> None:
    hidden = st.sampled_from(
        "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u1160\u17b4\u3164\uffa0\ufe0f\U000e0001"
    )
    at = data.draw(st.integers(0, len(name)))
    disguised = name[:at] + data.draw(st.text(hidden, min_size=1, max_size=4)) + name[at:]
    assert refusal(disguised) is refusal(name)


@given(st.characters())
def test_formats_and_controls_are_ignorable(char: str) -> None:
    if unicodedata.category(char) in {"Cc", "Cf"}:
        assert ignorable(char)
    if char.isalnum() and char.isascii():
        assert not ignorable(char)
