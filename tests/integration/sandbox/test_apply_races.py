"""Somebody else is in the tree too: what they did stays, and nothing is ever written outside."""

import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from sandbox.changes.apply import ApplyOutcome, ApplyStatus, Clash, Conflict, apply, recover
from sandbox.changes.applying.disk import Disk
from sandbox.changes.changeset import collect
from tests.support.overlay import Grant, Snapshot, plant, run, snapshot

RENAMES = ("move ", "exchange ")


def when(prefix: str, number: int, act: Callable[[], None]) -> Disk:
    """Return a disk on which `act` happens right before the numbered step whose description begins so."""
    seen = 0

    def at(point: str) -> None:
        nonlocal seen
        if point.startswith(prefix):
            seen += 1
            if seen == number:
                act()

    return Disk(at)


def before_rename(number: int, act: Callable[[], None], *, rename_flags: bool = True) -> Disk:
    """Return a disk on which `act` happens right before the numbered rename of the apply itself."""
    seen = 0

    def at(point: str) -> None:
        nonlocal seen
        if point.startswith(RENAMES) and ".dispatch-apply-" in point:
            seen += 1
            if seen == number:
                act()

    return Disk(at, rename_flags=rename_flags)


def apply_with(grant: Grant, disk: Disk) -> ApplyOutcome:
    return apply(collect([grant.layer]), [grant.layer], grant.state / "journal", disk=disk)


def unstaged(tree: Snapshot) -> bool:
    return not any(".dispatch-apply-" in path for path in tree)


def test_a_file_edited_during_the_run_is_drift(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a", "b": "b"})
    grant = run(tmp_path, "echo run > a; echo run > b")
    (grant.lower / "a").write_text("human")
    changes = collect([grant.layer])
    assert changes.drift == (f"{grant.lower}/a",)
    outcome = apply(changes, [grant.layer], tmp_path / "journal")
    assert outcome == ApplyOutcome(ApplyStatus.NOT_APPLIED, (Conflict(f"{grant.lower}/a", Clash.DRIFT),))
    assert (grant.lower / "a").read_text() == "human"
    assert (grant.lower / "b").read_text() == "b"


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda top: (top / "a").chmod(0o600),
        lambda top: ((top / "a").unlink(), (top / "a").symlink_to("/etc/passwd")),
        lambda top: ((top / "a").unlink(), (top / "a").mkdir()),
        lambda top: (top / "d/y").write_text("human"),
        lambda top: (top / "d").chmod(0o700),
        lambda top: (top / "new").write_text("human"),
        lambda top: ((top / "e/keep").unlink(), (top / "e").rmdir()),
    ],
)
def test_every_change_during_the_run_is_drift(tmp_path: Path, meanwhile: Callable[[Path], None]) -> None:
    plant(tmp_path / "grant", {"a": "a", "d/x": "x", "e/keep": ""})
    grant = run(tmp_path, "echo run > a; rm -r d; echo run > new; echo run > e/other")
    meanwhile(grant.lower)
    before = snapshot(grant.lower)
    changes = collect([grant.layer])
    assert changes.drift
    assert apply(changes, [grant.layer], tmp_path / "journal").status is ApplyStatus.NOT_APPLIED
    assert snapshot(grant.lower) == before


def test_what_somebody_changed_elsewhere_is_no_drift(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a", "d/x": "x"})
    grant = run(tmp_path, "echo run > a; echo run > d/new")
    (grant.lower / "other").write_text("human")
    (grant.lower / "d/x").write_text("human")
    changes = collect([grant.layer])
    assert changes.drift == ()
    assert apply(changes, [grant.layer], tmp_path / "journal").status is ApplyStatus.APPLIED
    assert (grant.lower / "d/x").read_text() == "human"
    assert (grant.lower / "a").read_text() == "run\n"


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda top: (top / "b").write_text("human"),
        lambda top: (top / "b").chmod(0o600),
        lambda top: (top / "b").unlink(),
        lambda top: ((top / "b").unlink(), (top / "b").symlink_to("a")),
        lambda top: (top / "d/extra").write_text("human"),
        lambda top: (top / "d/x").write_text("y"),
        lambda top: (top / "new").mkdir(),
        lambda top: (top / "m").chmod(0o711),
        lambda top: (top / "m").rename(top / "n"),
    ],
)
def test_a_change_between_freeze_and_apply_is_refused(
    tmp_path: Path, meanwhile: Callable[[Path], None]
) -> None:
    plant(tmp_path / "grant", {"a": "a", "b": "b", "d/x": "x", "m/1": "1"})
    grant = run(tmp_path, "echo run > a; echo run > b; rm -r d; echo run > new; chmod 700 m; echo run > m/2")
    changes = collect([grant.layer])
    assert changes.drift == ()
    meanwhile(grant.lower)
    before = snapshot(grant.lower)
    outcome = apply(changes, [grant.layer], tmp_path / "journal")
    assert outcome.status is ApplyStatus.NOT_APPLIED
    assert [conflict.clash for conflict in outcome.conflicts] == [Clash.CHANGED]
    assert snapshot(grant.lower) == before
    assert recover(tmp_path / "journal") == outcome


@pytest.mark.parametrize("rename_flags", [True, False])
@pytest.mark.parametrize("number", range(1, 6))
def test_an_edit_in_the_middle_undoes_the_rest_and_stays(
    tmp_path: Path, number: int, rename_flags: bool
) -> None:
    plant(tmp_path / "grant", {"a": "a", "b/x": "x", "c": "c", "z": "z"})
    before = snapshot(tmp_path / "grant")
    grant = run(tmp_path, "echo run > a; rm -r b; mv c d; echo run > z")
    disk = before_rename(
        number, lambda: (grant.lower / "z").write_text("human") and None, rename_flags=rename_flags
    )
    outcome = apply_with(grant, disk)
    assert outcome == ApplyOutcome(ApplyStatus.CONFLICT, (Conflict(f"{grant.lower}/z", Clash.MIDWAY),))
    assert snapshot(grant.lower) == before | {"z": ("file", 0o644, b"human")}
    assert recover(grant.state / "journal") == outcome


def test_an_edit_of_what_was_just_applied_stays_and_is_listed(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a", "z": "z"})
    grant = run(tmp_path, "echo run > a; echo run > z")

    def meanwhile() -> None:
        (grant.lower / "a").write_text("human, after us")
        (grant.lower / "z").write_text("human")

    outcome = apply_with(grant, before_rename(2, meanwhile))
    assert outcome == ApplyOutcome(
        ApplyStatus.CONFLICT,
        (Conflict(f"{grant.lower}/z", Clash.MIDWAY), Conflict(f"{grant.lower}/a", Clash.NOT_UNDONE)),
    )
    assert snapshot(grant.lower) == {
        "a": ("file", 0o644, b"human, after us"),
        "z": ("file", 0o644, b"human"),
    }
    assert snapshot(grant.state / "journal/originals") == {"0": ("file", 0o644, b"a")}


def test_work_added_to_a_new_tree_stays_when_the_tree_is_undone(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"z": "z"})
    grant = run(tmp_path, "mkdir -p new/in; echo run > new/ours; echo run > new/in/ours; echo run > z")

    def meanwhile() -> None:
        (grant.lower / "new/in/mine").write_text("human")
        (grant.lower / "z").write_text("human")

    outcome = apply_with(grant, before_rename(2, meanwhile))
    assert Conflict(f"{grant.lower}/new", Clash.NOT_UNDONE) in outcome.conflicts
    assert snapshot(grant.lower) == {
        "new": ("directory", 0o755, b""),
        "new/in": ("directory", 0o755, b""),
        "new/in/mine": ("file", 0o644, b"human"),
        "z": ("file", 0o644, b"human"),
    }


def test_a_path_taken_again_after_its_deletion_stays_taken(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a", "z": "z"})
    grant = run(tmp_path, "rm a; echo run > z")

    def meanwhile() -> None:
        (grant.lower / "a").write_text("human")
        (grant.lower / "z").write_text("human")

    outcome = apply_with(grant, before_rename(2, meanwhile))
    assert Conflict(f"{grant.lower}/a", Clash.NOT_UNDONE) in outcome.conflicts
    assert snapshot(grant.lower) == {"a": ("file", 0o644, b"human"), "z": ("file", 0o644, b"human")}
    assert snapshot(grant.state / "journal/originals") == {"0": ("file", 0o644, b"a")}


@pytest.mark.parametrize("rename_flags", [True, False])
@pytest.mark.parametrize("point", ["mkdir", "create", "symlink", "fill", "move", "exchange", "sync", "write"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_link_swapped_in_for_a_directory_leads_nothing_outside(
    tmp_path: Path, point: str, number: int, rename_flags: bool
) -> None:
    victim = tmp_path / "victim"
    plant(victim, {"a": "a", "b": "b", "sub/c": "c"})
    before = snapshot(victim)
    plant(tmp_path / "grant", {"d/a": "a", "d/b": "b", "d/sub/c": "c", "e": "e"})
    grant = run(
        tmp_path,
        "cd d; echo run > a; rm b; ln -s a l; mkdir new; echo run > new/x; rm -r sub; echo run > ../e",
    )

    def swap() -> None:
        (grant.lower / "d").rename(tmp_path / "moved")
        (grant.lower / "d").symlink_to(victim)

    disk = when(point, number, swap)
    disk._rename_flags = rename_flags
    outcome = apply_with(grant, disk)
    assert snapshot(victim) == before
    if (tmp_path / "moved").exists() and outcome.status is not ApplyStatus.APPLIED:
        assert (grant.lower / "e").read_text() == "e"


def test_a_link_swapped_in_while_undoing_leads_nothing_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    plant(victim, {"a": "run\n"})
    before = snapshot(victim)
    plant(tmp_path / "grant", {"d/a": "a", "z": "z"})
    grant = run(tmp_path, "echo run > d/a; echo run > z")

    def swap() -> None:
        (grant.lower / "d").rename(tmp_path / "moved")
        (grant.lower / "d").symlink_to(victim)
        (grant.lower / "z").write_text("human")

    outcome = apply_with(grant, before_rename(2, swap))
    assert outcome.status is ApplyStatus.CONFLICT
    assert Conflict(f"{grant.lower}/d/a", Clash.NOT_UNDONE) in outcome.conflicts
    assert snapshot(victim) == before
    assert (grant.lower / "z").read_text() == "human"


def test_what_slips_in_between_look_and_rename_is_put_back(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a", "d/x": "x"})
    grant = run(tmp_path, "echo run > a; rm -r d")
    outcome = apply_with(
        grant, when("exchange ", 1, lambda: (grant.lower / "a").write_text("human") and None)
    )
    assert outcome.status is ApplyStatus.CONFLICT
    assert snapshot(grant.lower)["a"] == ("file", 0o644, b"human")
    assert unstaged(snapshot(grant.lower))


def test_a_removed_tree_to_which_somebody_added_is_put_back(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"d/x": "x"})
    grant = run(tmp_path, "rm -r d")
    outcome = apply_with(
        grant, before_rename(1, lambda: (grant.lower / "d/mine").write_text("human") and None)
    )
    assert outcome.status is ApplyStatus.CONFLICT
    assert (grant.lower / "d/mine").read_text() == "human"
    assert (grant.lower / "d/x").read_text() == "x"
    assert unstaged(snapshot(grant.lower))


def test_collecting_survives_an_owner_at_work(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    plant(victim, {"a": "canary", "sub/b": "canary"})
    plant(tmp_path / "grant", {"d/a": "a", "d/sub/b": "b", "e/x": "x", "l": "-> d"})
    grant = run(tmp_path, "echo run > d/a; echo run > d/sub/b; rm -r e; ln -sfn e l; echo run > new")
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        top = grant.lower
        while not done.is_set():
            (top / "d").rename(top / "was-d")
            (top / "d").symlink_to(victim)
            (top / "e/x").unlink()
            (top / "e").rmdir()
            (top / "l").unlink()
            (top / "l").mkdir()
            (top / "l").rmdir()
            (top / "l").symlink_to("d")
            (top / "e").mkdir()
            (top / "e/x").write_text("x")
            (top / "d").unlink()
            (top / "was-d").rename(top / "d")
            begun.set()

    owner = threading.Thread(target=work)
    owner.start()
    begun.wait()
    try:
        found = [collect([grant.layer]) for _ in range(150)]
    finally:
        done.set()
        owner.join()
    canary = sha256(b"canary").hexdigest()
    # Everything that stood at these paths is the owner's new one; what was just gone comes out as created.
    renewed = [str(grant.lower / name) for name in ("e", "e/x", "l")]
    seen = [
        (one.path, one.path in changes.drift)
        for changes in found
        for one in changes.entries
        if one.path in renewed and one.before is not None
    ]
    assert {path for path, _ in seen} >= {renewed[-1]}
    assert [path for path, noticed in seen if not noticed] == []
    assert not [one for changes in found for one in changes.entries if canary in {one.sha256, one.old_sha256}]
    assert snapshot(victim) == {
        "a": ("file", 0o644, b"canary"),
        "sub": ("directory", 0o755, b""),
        "sub/b": ("file", 0o644, b"canary"),
    }


@pytest.mark.parametrize("in_place", [True, False], ids=["in-place", "replaced"])
def test_a_human_who_keeps_editing_loses_no_word(tmp_path: Path, in_place: bool) -> None:
    """Before the review, during it and all through the apply; what the human wrote last is what stands."""
    for number in range(8):
        base = tmp_path / str(number)
        plant(base / "grant", {"a": "a", "notes": "0", "z": "z"})
        grant = run(base, "echo run > a; echo run > notes; rm z; echo run > new")
        typed, writing, done = [0], threading.Event(), threading.Event()

        def keep_typing(
            notes: Path, typed: list[int], writing: threading.Event, done: threading.Event
        ) -> None:
            while not done.is_set():
                typed[0] += 1
                if in_place:
                    notes.write_text(f"human {typed[0]}")
                else:
                    draft = notes.with_name("draft")
                    draft.write_text(f"human {typed[0]}")
                    draft.replace(notes)
                writing.set()

        human = threading.Thread(target=keep_typing, args=(grant.lower / "notes", typed, writing, done))
        changes = collect([grant.layer]) if number % 2 else None  # reviewed before the human began, or after
        human.start()
        writing.wait()
        try:
            outcome = apply(changes or collect([grant.layer]), [grant.layer], grant.state / "journal")
        finally:
            done.set()
            human.join()
        assert outcome.status is not ApplyStatus.APPLIED
        assert f"{grant.lower}/notes" in {conflict.path for conflict in outcome.conflicts}
        assert snapshot(grant.lower) == {
            "a": ("file", 0o644, b"a"),
            "notes": ("file", 0o644, f"human {typed[0]}".encode()),
            "z": ("file", 0o644, b"z"),
        }
