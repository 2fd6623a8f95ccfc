import contextlib
import os
import time
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.job import Limits, PathGrant
from sandbox.wall import machine
from sandbox.wall.policy import View
from sandbox.wall.preparation import Prepared, make_state, marker_ctime_ns, prepare


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir(mode=0o750)
    return path


def prepared(tmp_path: Path, *grants: PathGrant, cwd: Path | None = None) -> Prepared:
    make_state(tmp_path / "state")
    view = View(grants, str(cwd or grants[0].path), frozenset({"Bash"}), Limits())
    with contextlib.ExitStack() as stack:
        return prepare(view, tmp_path / "state", machine.survey_host(), stack)


def test_a_writable_grant_gets_its_directories_with_the_grants_own_mode(tmp_path: Path, work: Path) -> None:
    result = prepared(tmp_path, PathGrant(str(work), "rw"))
    assert (tmp_path / "state" / "upper" / "0").stat().st_mode & 0o777 == 0o750
    assert [(mount.slot, mount.copied) for mount in result.mounts] == [("0", False)]
    assert result.layers[0].upper == tmp_path / "state" / "upper" / "0"
    assert result.layers[0].lower == str(work)


def test_a_read_only_grant_gets_none(tmp_path: Path, work: Path) -> None:
    result = prepared(tmp_path, PathGrant(str(work), "ro"))
    assert result.layers == ()
    assert list((tmp_path / "state" / "upper").iterdir()) == []


def test_nothing_stays_open(tmp_path: Path, work: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    prepared(tmp_path, PathGrant(str(work), "rw"))
    assert set(os.listdir("/proc/self/fd")) == before


def test_files_with_a_second_name_are_told(tmp_path: Path, work: Path) -> None:
    (work / "a").touch()
    os.link(work / "a", tmp_path / "outside")
    assert "1 files with another name" in prepared(tmp_path, PathGrant(str(work), "rw")).warnings[0]


def test_a_run_directory_must_be_one(tmp_path: Path, work: Path) -> None:
    (work / "file").touch()
    with pytest.raises(SandboxError, match="cwd_missing"):
        prepared(tmp_path, PathGrant(str(work), "rw"), cwd=work / "file")


def test_state_is_used_once(tmp_path: Path) -> None:
    make_state(tmp_path / "state")
    with pytest.raises(SandboxError, match="state_used"):
        make_state(tmp_path / "state")


def test_the_marker_is_later_than_what_was_and_not_later_than_what_comes(tmp_path: Path, work: Path) -> None:
    (work / "before").touch()
    marker = marker_ctime_ns(work, tmp_path)
    (work / "after").touch()
    assert (work / "before").stat().st_ctime_ns < marker <= (work / "after").stat().st_ctime_ns
    assert abs(time.time_ns() - marker) < 60_000_000_000
    assert sorted(path.name for path in work.iterdir()) == ["after", "before"]
