"""An applied changeset is taken back through the very same apply: whole, as shown, over nobody's later work."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.changes.apply import ApplyStatus, Clash, apply, recover
from sandbox.changes.applying.disk import Disk
from sandbox.changes.changeset import collect
from sandbox.changes.undo import forget_originals, kept_bytes, preview, undo
from sandbox.errors import ChangesetError
from tests.support.overlay import Grant, plant, run, snapshot

TREE = {"a": "a\n", "d/x": "x", "d/sub/y": "y", "e/keep": "", "l": "-> a", "m/1": "1", "tool": "#!/bin/sh\n"}
SCRIPT = """set -e
    echo run > a; rm -r d; ln -sfn e l; chmod 700 m; chmod +x tool; mv e/keep e/kept
    mkdir -p fresh/in; echo 1 > fresh/in/1
"""


def applied(base: Path, tree: dict[str, str] = TREE, script: str = SCRIPT, name: str = "grant") -> Grant:
    if not (base / name).exists():
        plant(base / name, tree)
    grant = run(base, script, name)
    assert apply(collect([grant.layer]), [grant.layer], base / "apply").status is ApplyStatus.APPLIED
    return grant


def shown(base: Path) -> str:
    changes, _, _ = preview(base / "apply", 64 * 1024)
    assert changes.drift == ()
    return changes.digest


def test_everything_returns_and_the_preview_says_so(tmp_path: Path) -> None:
    plant(tmp_path / "grant", TREE)
    before = snapshot(tmp_path / "grant")
    grant = applied(tmp_path)
    changes, diffs, truncated = preview(tmp_path / "apply", 64 * 1024)
    told = {(str(one.op), one.path.removeprefix(f"{grant.lower}/")) for one in changes.entries}
    assert told == {
        ("modify", "a"),
        ("mkdir", "d"),
        ("mkdir", "d/sub"),
        ("create", "d/sub/y"),
        ("create", "d/x"),
        ("create", "e/keep"),
        ("delete", "e/kept"),
        ("delete", "fresh"),
        ("delete", "fresh/in"),
        ("delete", "fresh/in/1"),
        ("symlink", "l"),
        ("mode", "m"),
        ("mode", "tool"),
    }
    assert not truncated
    assert "-run\n+a\n" in next(diff.text for diff in diffs if diff.path.endswith("/a"))
    assert undo(tmp_path / "apply", tmp_path / "undo", changes.digest).status is ApplyStatus.APPLIED
    assert snapshot(grant.lower) == before


def test_a_file_that_went_returns_with_its_attributes(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"gone": "600:secret", "a": "a"})
    os.setxattr(tmp_path / "grant/gone", "user.note", b"mine")
    grant = applied(tmp_path, {}, "rm gone; echo run > a")
    undo(tmp_path / "apply", tmp_path / "undo", shown(tmp_path))
    assert os.getxattr(grant.lower / "gone", "user.note") == b"mine"
    assert snapshot(grant.lower)["gone"] == ("file", 0o600, b"secret")


def _replace(path: Path, make: Callable[[Path], None]) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    make(path)


@pytest.mark.parametrize(
    ("meanwhile", "path"),
    [
        (lambda top: (top / "a").write_text("human"), "a"),
        (lambda top: (top / "a").chmod(0o600), "a"),
        (lambda top: (top / "a").unlink(), "a"),
        (lambda top: _replace(top / "a", lambda path: path.symlink_to("/etc/passwd")), "a"),
        (lambda top: _replace(top / "a", Path.mkdir), "a"),
        (lambda top: _replace(top / "a", os.mkfifo), "a"),
        (lambda top: (top / "d").mkdir(), "d"),
        (lambda top: (top / "d").symlink_to("e"), "d"),
        (lambda top: _replace(top / "l", lambda path: path.symlink_to("m")), "l"),
        (lambda top: (top / "m").chmod(0o711), "m"),
        (lambda top: ((top / "m").rename(top / "n"), (top / "m").mkdir(0o700)), "m"),
        (lambda top: (top / "fresh/in/mine").write_text("human"), "fresh"),
        (lambda top: (top / "fresh/in").chmod(0o700), "fresh"),
        (lambda top: (top / "fresh/in/1").write_text("2"), "fresh"),
        (lambda top: (top / "tool").chmod(0o644), "tool"),
        (lambda top: shutil.rmtree(top / "e"), "e/keep"),
        (lambda top: ((top / "e").rename(top / "f"), (top / "e").symlink_to("f")), "e/keep"),
    ],
)
def test_what_somebody_changed_since_is_listed_and_nothing_is_undone(
    tmp_path: Path, meanwhile: Callable[[Path], None], path: str
) -> None:
    grant = applied(tmp_path)
    digest = shown(tmp_path)
    meanwhile(grant.lower)
    before = snapshot(grant.lower)
    changes, diffs, _ = preview(tmp_path / "apply", 64 * 1024)
    assert f"{grant.lower}/{path}" in changes.drift
    assert diffs == ()
    outcome = undo(tmp_path / "apply", tmp_path / "undo", digest)
    assert outcome.status is ApplyStatus.NOT_APPLIED
    assert f"{grant.lower}/{path}" in [conflict.path for conflict in outcome.conflicts]
    assert {conflict.clash for conflict in outcome.conflicts} == {Clash.DRIFT}
    assert snapshot(grant.lower) == before
    assert not (tmp_path / "undo").exists()


def test_what_was_saved_again_unchanged_is_undone_all_the_same(tmp_path: Path) -> None:
    plant(tmp_path / "grant", TREE)
    before = snapshot(tmp_path / "grant")
    grant = applied(tmp_path)
    draft = grant.lower / "draft"
    draft.write_bytes((grant.lower / "a").read_bytes())
    draft.replace(grant.lower / "a")
    undo(tmp_path / "apply", tmp_path / "undo", shown(tmp_path))
    assert snapshot(grant.lower) == before


@pytest.mark.parametrize("number", range(1, 5))
def test_an_edit_in_the_middle_of_an_undo_takes_the_rest_back_and_stays(tmp_path: Path, number: int) -> None:
    grant = applied(
        tmp_path, {"a": "a", "b/x": "x", "c": "c", "z": "z"}, "echo r > a; rm -r b; mv c d; echo r > z"
    )
    before = snapshot(grant.lower)
    renames = 0

    def at(point: str) -> None:
        nonlocal renames
        if point.startswith(("move ", "exchange ")):
            renames += 1
            if renames == number:
                (grant.lower / "z").write_text("human")

    outcome = undo(tmp_path / "apply", tmp_path / "undo", shown(tmp_path), disk=Disk(at))
    assert outcome.status is ApplyStatus.CONFLICT
    assert snapshot(grant.lower) == before | {"z": ("file", 0o644, b"human")}
    assert recover(tmp_path / "undo") == outcome


@pytest.mark.parametrize("point", ["mkdir", "create", "fill", "move", "exchange", "sync", "write"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_link_swapped_in_for_a_directory_leads_an_undo_nowhere(
    tmp_path: Path, point: str, number: int
) -> None:
    victim = tmp_path / "victim"
    plant(victim, {"a": "run\n", "new/x": "run\n"})
    untouched = snapshot(victim)
    grant = applied(
        tmp_path, {"d/a": "a", "d/b": "b"}, "echo run > d/a; rm d/b; mkdir d/new; echo run > d/new/x"
    )
    seen = 0

    def at(step: str) -> None:
        nonlocal seen
        seen += step.startswith(point)
        if seen == number and step.startswith(point):
            (grant.lower / "d").rename(tmp_path / "moved")
            (grant.lower / "d").symlink_to(victim)

    undo(tmp_path / "apply", tmp_path / "undo", shown(tmp_path), disk=Disk(at))
    assert snapshot(victim) == untouched


def test_another_apply_to_the_same_file_wins_or_loses_whole(tmp_path: Path) -> None:
    """While one run is undone another is applied: whichever comes second finds what it did not expect."""
    for number in range(6):
        base = tmp_path / str(number)
        grant = applied(base, {"a": "old\n", "b": "old\n"}, "echo run > a; echo run > b")
        grant.state.rename(base / "first-state")
        layer = run(base, "echo other > a; echo other > b").layer
        changes = collect([layer])
        ends: list[ApplyStatus] = []
        rival = threading.Thread(
            target=lambda base=base, layer=layer, changes=changes, ends=ends: ends.append(
                apply(changes, [layer], base / "rival").status
            )
        )
        seen = 0

        def at(_: str, number: int = number, rival: threading.Thread = rival) -> None:
            nonlocal seen
            seen += 1
            if seen == 1 + number * 4:
                rival.start()
                rival.join()

        outcome = undo(base / "apply", base / "undo", shown(base), disk=Disk(at))
        contents = {(grant.lower / name).read_text() for name in ("a", "b")}
        winners = [outcome.status, *ends].count(ApplyStatus.APPLIED)
        assert winners <= 1
        assert len(contents) == 1 or ApplyStatus.CONFLICT in {outcome.status, *ends}
        if winners == 1:
            assert contents == {"old\n" if outcome.status is ApplyStatus.APPLIED else "other\n"}


def test_what_would_be_undone_is_what_was_shown(tmp_path: Path) -> None:
    grant = applied(tmp_path)
    before = snapshot(grant.lower)
    with pytest.raises(ChangesetError) as refused:
        undo(tmp_path / "apply", tmp_path / "undo", "00" * 32)
    assert refused.value.code == "changeset_changed"
    assert snapshot(grant.lower) == before


@pytest.mark.parametrize(
    ("lose", "code"),
    [
        (lambda base: shutil.rmtree(base / "apply"), "not_kept"),
        (lambda base: forget_originals(base / "apply"), "not_kept"),
        (lambda base: (base / "apply/originals/0").write_text("forged"), "originals_damaged"),
        (lambda base: (base / "apply/originals/0").unlink(), "originals_damaged"),
        (lambda base: (base / "apply/plan.json").write_text("{"), "journal_damaged"),
        (lambda base: (base / "grant").rename(base / "elsewhere"), "grant_unreachable"),
        (
            lambda base: ((base / "grant").rename(base / "there"), (base / "grant").symlink_to("there")),
            "grant_unreachable",
        ),
    ],
)
def test_what_is_lost_cannot_be_undone_and_says_so(
    tmp_path: Path, lose: Callable[[Path], None], code: str
) -> None:
    grant = applied(tmp_path, {"a": "a"}, "echo run > a")
    digest = shown(tmp_path)
    lose(tmp_path)
    with pytest.raises(ChangesetError) as refused:
        undo(tmp_path / "apply", tmp_path / "undo", digest)
    assert refused.value.code == code
    if grant.lower.exists():
        assert snapshot(grant.lower) == {"a": ("file", 0o644, b"run\n")}


def test_an_apply_that_did_not_end_well_has_nothing_to_undo(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a"})
    grant = run(tmp_path, "echo run > a")
    changes = collect([grant.layer])
    (grant.lower / "a").write_text("human")
    assert apply(changes, [grant.layer], tmp_path / "apply").status is ApplyStatus.NOT_APPLIED
    with pytest.raises(ChangesetError) as refused:
        preview(tmp_path / "apply", 1024)
    assert refused.value.code == "not_kept"


def test_undone_twice_finds_that_it_is_undone(tmp_path: Path) -> None:
    grant = applied(tmp_path)
    digest = shown(tmp_path)
    assert undo(tmp_path / "apply", tmp_path / "undo", digest).status is ApplyStatus.APPLIED
    before = snapshot(grant.lower)
    assert undo(tmp_path / "apply", tmp_path / "undo-2", digest).status is ApplyStatus.NOT_APPLIED
    assert snapshot(grant.lower) == before


@pytest.fixture
def other_file_system() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def test_originals_on_another_file_system_return_too(tmp_path: Path, other_file_system: Path) -> None:
    plant(tmp_path / "grant", TREE)
    before = snapshot(tmp_path / "grant")
    grant = run(tmp_path, SCRIPT)
    journal = other_file_system / "apply"
    assert apply(collect([grant.layer]), [grant.layer], journal).status is ApplyStatus.APPLIED
    changes, _, _ = preview(journal, 1024)
    assert undo(journal, other_file_system / "undo", changes.digest).status is ApplyStatus.APPLIED
    assert snapshot(grant.lower) == before


def test_what_the_originals_take_is_counted_and_given_back(tmp_path: Path) -> None:
    grant = applied(tmp_path, {"a": "x" * 1000, "d/b": "y" * 500}, "echo run > a; rm -r d")
    assert kept_bytes(tmp_path / "apply") == 1500
    forget_originals(tmp_path / "apply")
    forget_originals(tmp_path / "apply")
    assert kept_bytes(tmp_path / "apply") == 0
    assert recover(tmp_path / "apply") is not None
    assert snapshot(grant.lower)["a"] == ("file", 0o644, b"run\n")
