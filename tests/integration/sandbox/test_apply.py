"""A run's changes arrive in the owner's tree as they were reviewed, over a real overlay."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.changes.apply import ApplyOutcome, ApplyStatus, Clash, Conflict, apply, recover
from sandbox.changes.changeset import collect
from sandbox.errors import ChangesetError, PathRefusedError
from sandbox.job import Layer, PathGrant
from tests.support.overlay import plant, run, snapshot

TREE = {
    "README": "one\ntwo\n",
    "src/app.py": "print('hello')\n",
    "src/old.py": "obsolete = True\n",
    "src/tool": "#!/bin/sh\n",
    "docs/a.txt": "a",
    "docs/b/c.txt": "c",
    "link": "-> README",
    "was-file": "file",
    "was-dir/x": "x",
    "was-dir/y/z": "z",
    "same": "same",
}
EDITS = """set -e
    echo three >> README
    rm src/old.py; mv src/app.py src/main.py; chmod +x src/tool
    rm -r docs; mkdir docs; echo new > docs/new.txt
    ln -sfn src link; ln -s ../README src/up
    rm was-file; mkdir was-file; echo in > was-file/in
    rm -r was-dir; echo now > was-dir
    mkdir -p fresh/deep/er; echo 1 > fresh/1; echo 2 > fresh/deep/er/2; chmod 700 fresh/deep
    touch same; chmod 640 same; chmod 644 same
"""


@pytest.fixture
def other_file_system() -> Iterator[Path]:
    """Yield a directory on another file system than the tests' own: shared memory is one on every Linux."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def journal(base: Path) -> Path:
    return base / "journal"


def test_the_applied_tree_is_what_the_run_saw(tmp_path: Path) -> None:
    plant(tmp_path / "grant", TREE)
    grant = run(tmp_path, EDITS)
    changes = collect([grant.layer])
    assert changes.drift == ()
    assert changes.left_behind == ()
    assert apply(changes, [grant.layer], journal(tmp_path)) == ApplyOutcome(ApplyStatus.APPLIED)
    assert snapshot(grant.lower) == grant.merged
    assert collect([grant.layer]).entries == ()


def test_the_changeset_names_every_change_once(tmp_path: Path) -> None:
    plant(tmp_path / "grant", TREE)
    grant = run(tmp_path, EDITS)
    top = f"{grant.lower}/"
    told = [(str(one.op), one.path.removeprefix(top)) for one in collect([grant.layer]).entries]
    assert told == [
        ("modify", "README"),
        ("delete", "docs/a.txt"),
        ("delete", "docs/b"),
        ("delete", "docs/b/c.txt"),
        ("create", "docs/new.txt"),
        ("mkdir", "fresh"),
        ("create", "fresh/1"),
        ("mkdir", "fresh/deep"),
        ("mkdir", "fresh/deep/er"),
        ("create", "fresh/deep/er/2"),
        ("symlink", "link"),
        ("rename", "src/app.py"),
        ("delete", "src/old.py"),
        ("mode", "src/tool"),
        ("symlink", "src/up"),
        ("delete", "was-dir"),
        ("create", "was-dir"),
        ("delete", "was-dir/x"),
        ("delete", "was-dir/y"),
        ("delete", "was-dir/y/z"),
        ("delete", "was-file"),
        ("mkdir", "was-file"),
        ("create", "was-file/in"),
    ]


def test_the_journal_keeps_every_original(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "old", "d/x": "x", "gone": "755:bye"})
    grant = run(tmp_path, "echo new > a; rm -r d gone")
    apply(collect([grant.layer]), [grant.layer], journal(tmp_path))
    kept = snapshot(journal(tmp_path) / "originals")
    assert sorted(content for _, _, content in kept.values() if content) == [b"bye", b"old", b"x"]
    assert ("file", 0o755, b"bye") in kept.values()


def test_nothing_beside_the_targets_is_left(tmp_path: Path) -> None:
    plant(tmp_path / "grant", TREE)
    grant = run(tmp_path, EDITS)
    apply(collect([grant.layer]), [grant.layer], journal(tmp_path))
    assert [path for path in snapshot(grant.lower) if "dispatch" in path] == []


def test_originals_are_kept_on_another_file_system_too(tmp_path: Path, other_file_system: Path) -> None:
    assert other_file_system.stat().st_dev != tmp_path.stat().st_dev
    plant(tmp_path / "grant", TREE)
    before = snapshot(tmp_path / "grant")
    grant = run(tmp_path, EDITS)
    outcome = apply(collect([grant.layer]), [grant.layer], other_file_system / "journal")
    assert outcome.status is ApplyStatus.APPLIED
    assert snapshot(grant.lower) == grant.merged
    kept = snapshot(other_file_system / "journal" / "originals")
    assert before["was-dir/y/z"] in kept.values()
    assert before["link"] in kept.values()
    assert [name for name in kept if ".part" in name] == []


def test_several_grants_are_one_transaction(tmp_path: Path) -> None:
    plant(tmp_path / "one", {"a": "a"})
    plant(tmp_path / "two", {"b": "b"})
    one = run(tmp_path, "echo A > a", "one")
    two = run(tmp_path, "echo B > b", "two")
    layers = [one.layer, two.layer]
    changes = collect(layers)
    (two.lower / "b").write_text("human")
    outcome = apply(changes, layers, journal(tmp_path))
    assert outcome == ApplyOutcome(ApplyStatus.NOT_APPLIED, (Conflict(f"{two.lower}/b", Clash.CHANGED),))
    assert (one.lower / "a").read_text() == "a"
    assert (two.lower / "b").read_text() == "human"


def test_grants_on_two_file_systems_are_one_transaction(tmp_path: Path, other_file_system: Path) -> None:
    plant(tmp_path / "one", {"a": "a"})
    plant(tmp_path / "two", {"b": "b"})
    shutil.copytree(tmp_path / "two", other_file_system / "two")
    one = run(tmp_path, "echo A > a; echo new > n", "one")
    two = run(tmp_path, "rm b; echo B > c", "two").on(other_file_system / "two")
    assert one.lower.stat().st_dev != two.lower.stat().st_dev
    layers = [one.layer, two.layer]
    changes = collect(layers)
    (two.lower / "b").write_text("human")
    before = snapshot(one.lower), snapshot(two.lower)
    assert apply(changes, layers, journal(tmp_path)).status is ApplyStatus.NOT_APPLIED
    assert (snapshot(one.lower), snapshot(two.lower)) == before
    (two.lower / "b").write_text("b")
    two = two.on(two.lower)
    layers = [one.layer, two.layer]
    assert apply(collect(layers), layers, tmp_path / "again").status is ApplyStatus.APPLIED
    assert (snapshot(one.lower), snapshot(two.lower)) == (one.merged, two.merged)


def test_directories_that_deny_writing_are_changed_and_locked_again(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"mod/a": "a", "mod/b": "b", "other/x": "x"})
    (tmp_path / "grant/mod").chmod(0o555)
    grant = run(
        tmp_path, "chmod 755 mod; echo A > mod/a; rm mod/b; chmod 555 mod; echo y > other/y; chmod 500 other"
    )
    assert apply(collect([grant.layer]), [grant.layer], journal(tmp_path)).status is ApplyStatus.APPLIED
    assert snapshot(grant.lower) == grant.merged
    assert (grant.lower / "mod").stat().st_mode & 0o777 == 0o555
    assert (grant.lower / "other").stat().st_mode & 0o777 == 0o500


def test_a_new_tree_that_denies_writing_arrives_whole(tmp_path: Path) -> None:
    grant = run(tmp_path, "mkdir -p ro/in; echo x > ro/in/x; chmod 444 ro/in/x; chmod 555 ro/in ro")
    assert apply(collect([grant.layer]), [grant.layer], journal(tmp_path)).status is ApplyStatus.APPLIED
    assert snapshot(grant.lower) == grant.merged


def test_the_other_names_of_a_hard_linked_file_keep_their_content(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "old"})
    (tmp_path / "outside").hardlink_to(tmp_path / "grant/a")
    grant = run(tmp_path, "echo tampered >> a; chmod 600 a")
    changes = collect([grant.layer])
    assert "hard_link" in changes.entries[0].flags
    apply(changes, [grant.layer], journal(tmp_path))
    assert (tmp_path / "outside").read_text() == "old"
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o644
    assert (grant.lower / "a").read_text() == "oldtampered\n"


def test_user_attributes_of_a_modified_file_survive(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "old"})
    os.setxattr(tmp_path / "grant/a", "user.origin", b"https://example.org")
    grant = run(tmp_path, "echo new > a")
    apply(collect([grant.layer]), [grant.layer], journal(tmp_path))
    assert os.getxattr(grant.lower / "a", "user.origin") == b"https://example.org"
    assert not [name for name in os.listxattr(grant.lower / "a") if "overlay" in name]


def test_a_new_file_takes_the_group_of_its_directory(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"shared/a": "a"})
    (tmp_path / "grant/shared").chmod(0o2775)
    grant = run(tmp_path, "mkdir shared/new; echo b > shared/new/b")
    apply(collect([grant.layer]), [grant.layer], journal(tmp_path))
    assert (grant.lower / "shared/new").stat().st_mode & 0o7777 == 0o2755
    assert (grant.lower / "shared").stat().st_mode & 0o7777 == 0o2775


def test_what_was_approved_is_what_is_written(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "old", "b": "old"})
    grant = run(tmp_path, "echo new > a; echo new > b")
    changes = collect([grant.layer])
    (grant.state / "upper/b").write_text("swapped after the review")
    with pytest.raises(ChangesetError, match="changeset_changed"):
        apply(changes, [grant.layer], journal(tmp_path))
    assert snapshot(grant.lower) == {"a": ("file", 0o644, b"old"), "b": ("file", 0o644, b"old")}
    assert recover(journal(tmp_path)) == ApplyOutcome(ApplyStatus.NOT_APPLIED)


def test_an_upper_layer_that_is_gone_is_told(tmp_path: Path) -> None:
    grant = run(tmp_path, "echo new > a; echo new > b")
    changes = collect([grant.layer])
    (grant.state / "upper/b").unlink()
    with pytest.raises(ChangesetError, match="changeset_changed"):
        apply(changes, [grant.layer], journal(tmp_path))
    assert snapshot(grant.lower) == {}


def test_a_journal_serves_one_apply(tmp_path: Path) -> None:
    grant = run(tmp_path, "echo new > a")
    changes = collect([grant.layer])
    apply(changes, [grant.layer], journal(tmp_path))
    with pytest.raises(ChangesetError, match="apply_begun"):
        apply(changes, [grant.layer], journal(tmp_path))


def test_recover_after_the_end_tells_the_same_outcome(tmp_path: Path) -> None:
    grant = run(tmp_path, "echo new > a")
    outcome = apply(collect([grant.layer]), [grant.layer], journal(tmp_path))
    assert recover(journal(tmp_path)) == outcome == recover(journal(tmp_path))


def test_recover_where_nothing_was_begun_is_none(tmp_path: Path) -> None:
    assert recover(journal(tmp_path)) is None
    journal(tmp_path).mkdir()
    assert recover(journal(tmp_path)) is None


def test_an_empty_changeset_applies(tmp_path: Path) -> None:
    grant = run(tmp_path, "true")
    changes = collect([grant.layer])
    assert changes.entries == ()
    assert apply(changes, [grant.layer], journal(tmp_path)) == ApplyOutcome(ApplyStatus.APPLIED)


def test_a_grant_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a"})
    identity = ((tmp_path / "grant").stat().st_dev, (tmp_path / "grant").stat().st_ino)
    grant = run(tmp_path, "echo b > a")
    layer = Layer(
        PathGrant(str(grant.lower), "rw", identity),
        str(grant.lower),
        grant.layer.upper,
        grant.marker_ctime_ns,
    )
    changes = collect([layer])
    grant.lower.rename(tmp_path / "elsewhere")
    plant(tmp_path / "grant", {"a": "a"})
    with pytest.raises(PathRefusedError, match="path_changed"):
        apply(changes, [layer], journal(tmp_path))
    with pytest.raises(PathRefusedError, match="path_changed"):
        collect([layer])


def test_a_grant_that_became_a_link_is_refused(tmp_path: Path) -> None:
    plant(tmp_path / "grant", {"a": "a"})
    grant = run(tmp_path, "echo b > a")
    changes = collect([grant.layer])
    grant.lower.rename(tmp_path / "victim")
    (tmp_path / "grant").symlink_to("victim")
    with pytest.raises(ChangesetError, match="layer_unreadable"):
        apply(changes, [grant.layer], journal(tmp_path))
    assert (tmp_path / "victim/a").read_text() == "a"
