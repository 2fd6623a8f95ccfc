"""What a run left reads the same in the journal of either side, and in the result between them."""

import pytest

from dispatch_daemon.core.traces import (
    artifact_data,
    artifact_of,
    change_data,
    change_of,
    confinement_of,
    diff_of,
)
from dispatch_protocol.encoding import JSON
from dispatch_protocol.messages.files import Artifact, Blob
from dispatch_protocol.messages.trace import Change, ChangeOp, Confinement, FileDiff
from tests.support.documents import digest, fixed, read

CREATED: dict[str, JSON] = {
    "op": "create",
    "path": "/src/a",
    "kind": "file",
    "old_mode": None,
    "new_mode": 0o644,
    "size_bytes": 3,
    "sha256": digest("a").hex,
    "target": None,
    "flags": ["build_file"],
}
LINKED: dict[str, JSON] = CREATED | {"op": "symlink", "sha256": None, "target": "b", "flags": []}
ARTIFACT: dict[str, JSON] = {
    "blob": None,
    "name": "a.txt",
    "kind": "file",
    "mime_type": "text/plain",
    "size_bytes": 3,
    "sha256": digest("a").hex,
}


@pytest.mark.parametrize("held", [CREATED, LINKED])
def test_change_comes_back_as_it_was_after_the_way_to_the_other_side(held: dict[str, JSON]) -> None:
    told = read(Change.read, change_of(held).write())
    assert change_data(told) == held


def test_change_of_which_only_the_path_is_known_is_a_change() -> None:
    known = change_of({"op": "delete", "path": "/src/a", "kind": "file"})
    assert known == Change(op=ChangeOp.DELETE, path="/src/a", kind="file")


def test_artifact_comes_back_as_it_was_after_the_way_to_the_other_side() -> None:
    for blob in (None, Blob(digest("b"), fixed("k")).write()):
        kept = {**ARTIFACT, "blob": blob}
        told = read(Artifact.read, artifact_of(kept).write())
        assert artifact_data(told) == kept


def test_diff_comes_back_as_it_was_after_the_way_to_the_other_side() -> None:
    held: dict[str, JSON] = {"path": "/src/a", "text": "+a\n", "truncated": True, "binary": False}
    assert read(FileDiff.read, diff_of(held).write()).write() == held


def test_confinement_comes_back_as_it_was_after_the_way_to_the_other_side() -> None:
    held: dict[str, JSON] = {"layers": ["bwrap"], "limits_by": "cgroup", "warnings": ["no landlock"]}
    assert read(Confinement.read, confinement_of(held).write()).write() == held
