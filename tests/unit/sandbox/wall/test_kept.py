"""What a run was set aside with is found again whole, or not at all."""

from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.job import Layer, PathGrant
from sandbox.wall import kept
from sandbox.wall.kept import Kept
from sandbox.wall.preparation import ARTIFACTS, UPPER


def layers(state: Path) -> tuple[Layer, ...]:
    return (
        Layer(PathGrant("/src", "rw", (1, 2)), "/src", state / UPPER / "0", 7),
        Layer(PathGrant("/doc", "rw"), "/doc", state / UPPER / "1", 8),
    )


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    whole = Kept(layers(tmp_path), {"next": 3}, ("seen.txt",))
    kept.keep(tmp_path, whole)
    assert kept.find(tmp_path) == whole
    assert (tmp_path / kept.NAME).stat().st_mode & 0o777 == 0o600
    kept.keep(tmp_path, Kept((), {}))
    assert kept.find(tmp_path) == Kept((), {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2, "layers": [], "session": {}, "saved": []}',
        '{"version": 1, "layers": [{"path": "/"}], "session": {}, "saved": []}',
        '{"version": 1, "layers": [], "session": 3, "saved": []}',
        (
            '{"version": 1, "layers": [{"path": "/", "mode": "rw", "identity": null, "slot": "../0", "marker_ctime_ns": 1}],'
            ' "session": {}, "saved": []}'
        ),
    ],
)
def test_what_cannot_be_read_is_not_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / kept.NAME).write_text(text)
    with pytest.raises(SandboxError) as raised:
        kept.find(tmp_path)
    assert raised.value.code == "not_kept"


def test_nothing_is_kept_where_nothing_was(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be taken up again"):
        kept.find(tmp_path)


def test_reopened_place_keeps_what_calls_saved_and_collects_the_rest_anew(tmp_path: Path) -> None:
    (tmp_path / ARTIFACTS).mkdir()
    for name in ("saved.txt", "made.txt"):
        (tmp_path / ARTIFACTS / name).write_text("x")
    kept.reopen(tmp_path, ("saved.txt",))
    assert [path.name for path in (tmp_path / ARTIFACTS).iterdir()] == ["saved.txt"]
