import os
from pathlib import Path

import pytest

from sandbox.errors import PathRefusedError
from sandbox.wall.walk import same_file, walk


def refused(path: Path) -> str:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PathRefusedError) as caught:
        walk(str(path))
    assert len(os.listdir("/proc/self/fd")) == before
    return caught.value.code


def test_it_opens_what_stands_there(tmp_path: Path) -> None:
    descriptor = walk(str(tmp_path))
    try:
        found = os.stat(tmp_path)
        assert same_file(descriptor, (found.st_dev, found.st_ino))
        assert not same_file(descriptor, (found.st_dev, found.st_ino + 1))
    finally:
        os.close(descriptor)


def test_a_link_anywhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "last").symlink_to("inner")
    assert refused(tmp_path / "link" / "inner") == "path_changed"
    assert refused(tmp_path / "real" / "last") == "path_changed"


def test_what_is_missing_or_no_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "gone") == "path_missing"
    assert refused(tmp_path / "file" / "below") == "path_changed"
