"""Discarding a run removes its layers and keeps its artifacts and what an undo needs."""

from pathlib import Path

import pytest

from sandbox.changes.discard import discard
from sandbox.errors import ChangesetError
from tests.support.overlay import plant, snapshot


def test_layers_go_and_results_stay(tmp_path: Path) -> None:
    plant(
        tmp_path / "run",
        {
            "upper/0/a": "x",
            "work/0/work": None,
            "merged/0": None,
            "copy/0/b": "x",
            "outbox/c": "x",
            "artifacts/report": "x",
            "apply/originals/0": "x",
        },
    )
    (tmp_path / "run/work/0/work").chmod(0)  # as overlayfs leaves it
    discard(tmp_path / "run")
    assert sorted(snapshot(tmp_path / "run")) == [
        "apply",
        "apply/originals",
        "apply/originals/0",
        "artifacts",
        "artifacts/report",
    ]
    discard(tmp_path / "run")


def test_a_run_that_is_not_there_is_fine(tmp_path: Path) -> None:
    discard(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_link_in_place_of_a_layer_is_only_a_link(tmp_path: Path) -> None:
    plant(tmp_path, {"kept/a": "x", "run/upper": "-> ../kept"})
    discard(tmp_path / "run")
    assert sorted(snapshot(tmp_path)) == ["kept", "kept/a", "run"]


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no directory")
    with pytest.raises(ChangesetError, match="discard_failed"):
        discard(tmp_path / "run")
