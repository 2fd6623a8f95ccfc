import os
from pathlib import Path

import pytest

from sandbox.errors import PathRefusedError
from sandbox.wall.snapshot import MAX_COPIED_BYTES, Copied, copy_tree


def copying(source: Path, target: Path, size_bytes: int) -> Copied:
    descriptor = os.open(source, os.O_PATH | os.O_DIRECTORY)
    try:
        return copy_tree(descriptor, target, size_bytes=size_bytes)
    finally:
        os.close(descriptor)


def test_a_copy_has_the_same_content_modes_times_and_links(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    file = source / "deep" / "er" / "run.sh"
    file.write_bytes(b"x" * 200_000)
    file.chmod(0o4750)
    os.utime(file, ns=(1_000_000_000, 2_000_000_000))
    (source / "to-file").symlink_to("deep/er/run.sh")
    (source / "to-dir").symlink_to("deep")
    (source / "out").symlink_to("/etc")
    copied = copying(source, tmp_path / "copy", 200_000)
    made = tmp_path / "copy" / "deep" / "er" / "run.sh"
    assert made.read_bytes() == file.read_bytes()
    assert made.stat().st_mode & 0o7777 == 0o750
    assert made.stat().st_mtime_ns == 2_000_000_000
    assert os.readlink(tmp_path / "copy" / "to-dir") == "deep"
    assert os.readlink(tmp_path / "copy" / "to-file") == "deep/er/run.sh"
    assert os.readlink(tmp_path / "copy" / "out") == "/etc"
    assert (copied.files, copied.left_out) == (1, 0)


def test_what_is_no_plain_file_is_left_out_and_counted(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe")
    copied = copying(source, tmp_path / "copy", 0)
    assert copied.left_out == 1
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_tree_too_large_is_refused_before_anything_is_copied(tmp_path: Path) -> None:
    with pytest.raises(PathRefusedError, match=r"path_foreign.*too large"):
        copying(tmp_path, tmp_path / "copy", MAX_COPIED_BYTES + 1)
    assert not (tmp_path / "copy").exists()
