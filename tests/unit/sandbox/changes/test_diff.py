"""Diffs tell the truth about every change, in bounded size."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.changes.changeset import collect
from sandbox.changes.diff import FileDiff, unified
from sandbox.errors import ChangesetError
from sandbox.job import Layer, PathGrant
from tests.support.overlay import marker, plant

PLENTY = 1_000_000


def layer(base: Path, lower: dict[str, str | None], upper: dict[str, str | None]) -> Layer:
    """Make a layer by hand: a frozen overlay is nothing but two directories."""
    plant(base / "lower", lower)
    plant(base / "upper", upper)
    return Layer(
        PathGrant(str(base / "lower"), "rw"), str(base / "lower"), base / "upper", marker(base / "lower")
    )


def diffs(
    base: Path, lower: dict[str, str | None], upper: dict[str, str | None], max_bytes: int = PLENTY
) -> dict[str, FileDiff]:
    one = layer(base, lower, upper)
    found, _ = unified(collect([one]), [one], max_bytes)
    return {diff.path.removeprefix(f"{base}/lower/"): diff for diff in found}


def test_a_modified_file(tmp_path: Path) -> None:
    found = diffs(tmp_path, {"a": "1\n2\n3\n4\n5\n6\n7\n8\n9\n"}, {"a": "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"})
    assert found["a"].text == (
        f"--- {tmp_path}/lower/a\n+++ {tmp_path}/lower/a\n"
        "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
    )


def test_a_new_file_a_new_mode_and_a_new_link(tmp_path: Path) -> None:
    found = diffs(tmp_path, {"m": "644:x\n"}, {"n": "755:hi\n", "m": "755:x\n", "l": "-> m"})
    assert (
        found["n"].text
        == f"new file mode 100755\n--- /dev/null\n+++ {tmp_path}/lower/n\n@@ -0,0 +1 @@\n+hi\n"
    )
    assert found["m"].text == "old mode 100644\nnew mode 100755\n"
    assert found["l"].text.startswith("new file mode 120000\n--- /dev/null\n")
    assert found["l"].text.endswith("+m\n\\ No newline at end of file\n")


def test_a_changed_link_shows_both_ends(tmp_path: Path) -> None:
    found = diffs(tmp_path, {"l": "-> a", "a": "", "b": ""}, {"l": "-> b"})
    assert "-a\n\\ No newline" in found["l"].text
    assert "+b\n\\ No newline" in found["l"].text


def test_a_mode_of_a_directory(tmp_path: Path) -> None:
    one = layer(tmp_path, {"d/a": ""}, {"d": None})
    (tmp_path / "upper/d").chmod(0o700)
    ((diff,), truncated) = unified(collect([one]), [one], PLENTY)
    assert (diff.text, truncated) == ("old mode 040755\nnew mode 040700\n", False)


def test_binary_files_are_told_and_not_shown(tmp_path: Path) -> None:
    found = diffs(tmp_path, {"a": "text"}, {"a": "nul\0"})
    assert found["a"] == FileDiff(
        f"{tmp_path}/lower/a", "Binary files differ (4 bytes, 4 bytes)\n", truncated=False, binary=True
    )


def test_bytes_that_are_not_utf8_are_spelled_out(tmp_path: Path) -> None:
    one = layer(tmp_path, {}, {})
    (tmp_path / "upper/a").write_bytes(b"\xe9t\xe9\n")
    ((diff,), _) = unified(collect([one]), [one], PLENTY)
    assert "+\\xe9t\\xe9\n" in diff.text


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    found = diffs(tmp_path, {}, {"a": "one\x0btwo\u2028three\rfour\n"})
    assert found["a"].text.endswith("@@ -0,0 +1 @@\n+one\x0btwo\u2028three\rfour\n")


def test_a_name_cannot_forge_a_header(tmp_path: Path) -> None:
    name = "a\n+++ b\u202e"
    found = diffs(tmp_path, {}, {name: "x\n"})
    assert f"+++ {tmp_path}/lower/a⟨U+000A⟩+++ b⟨U+202E⟩\n" in found[name].text


def test_the_text_is_cut_between_lines_and_says_so(tmp_path: Path) -> None:
    one = layer(tmp_path, {}, {"a": "line\n" * 100, "b": "small\n"})
    found, truncated = unified(collect([one]), [one], 300)
    assert truncated
    assert sum(len(diff.text.encode()) for diff in found) <= 300
    assert [diff.truncated for diff in found] == [True, True]
    assert found[0].text.endswith("+line\n")
    assert found[1].text == ""


def test_a_file_too_large_to_show_is_told(tmp_path: Path) -> None:
    found = diffs(tmp_path, {}, {"a": "x" * (2 * 1024 * 1024 + 1)})
    assert found["a"].truncated
    assert found["a"].text == "new file mode 100644\n"


def test_what_changed_since_the_collecting_is_not_shown(tmp_path: Path) -> None:
    one = layer(tmp_path, {"a": "old\n"}, {"a": "new!\n"})
    changes = collect([one])
    (tmp_path / "upper/a").write_text("evil\n")
    with pytest.raises(ChangesetError, match="changed_meanwhile"):
        unified(changes, [one], PLENTY)
    (tmp_path / "upper/a").write_text("new!\n")
    (tmp_path / "lower/a").unlink()
    with pytest.raises(ChangesetError, match="changed_meanwhile"):
        unified(changes, [one], PLENTY)


def test_a_hostile_rewrite_is_shown_in_bounded_time(tmp_path: Path) -> None:
    old = "".join(f"{number * 7919 % 97}\n" for number in range(20_000))
    new = "".join(f"{number * 104729 % 89}\n" for number in range(20_000))
    found = diffs(tmp_path, {"a": old}, {"a": new})
    assert found["a"].text.count("\n") >= 20_000


TEXT = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30).map("\n".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=TEXT, new=TEXT)
def test_the_diff_leads_from_old_to_new(tmp_path_factory: pytest.TempPathFactory, old: str, new: str) -> None:
    if old == new:
        return
    base = tmp_path_factory.mktemp("diff")
    text = diffs(base, {"a": old}, {"a": new})["a"].text
    assert patched(old, text) == new


def patched(old: str, text: str) -> str:
    """Carry a unified diff out: an independent reading of it, strict about every number and every line."""
    before = old.splitlines(keepends=True)
    result: list[str] = []
    at = 0
    lines = text.split("\n")[2:-1]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        content = line[1:] + ("" if following.startswith("\\") else "\n")
        if line.startswith("@@"):
            _, removed, added, _ = line.split(" ")
            result += before[at : begins(removed)]
            at = begins(removed)
            assert len(result) == begins(added)
        elif line.startswith(("-", " ")):
            assert before[at] == content
            at += 1
        if line.startswith(("+", " ")):
            result.append(content)
    return "".join(result + before[at:])


def begins(numbers: str) -> int:
    """Return how many lines stand before a hunk, from its `-start,length` or `+start`."""
    start, _, length = numbers[1:].partition(",")
    return int(start) if length == "0" else int(start) - 1
