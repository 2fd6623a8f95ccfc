import os
from pathlib import Path

import pytest

from sandbox.errors import PathRefusedError
from sandbox.job import PathGrant
from sandbox.wall.grants import enrol, open_grant, refuse_submounts, submounts, survey

MOUNTS = (
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "30 22 0:5 / /srv/a rw - tmpfs tmpfs rw\n"
    "31 30 0:6 / /srv/a/deep\\040er rw - tmpfs tmpfs rw\n"
    "32 22 0:7 / /srv/ab rw - tmpfs tmpfs rw\n"
)
EVERYONE = (range(1 << 32),)
NOBODY = (range(1, 2),)


def refusal(grant: PathGrant) -> str:
    with pytest.raises(PathRefusedError) as caught:
        os.close(open_grant(grant))
    return caught.value.code


def test_enrolling_follows_links_once_and_stores_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    grant = enrol(str(tmp_path / "link"), "rw", homes=[])
    found = os.stat(tmp_path / "real")
    assert grant == PathGrant(str(tmp_path / "real"), "rw", (found.st_dev, found.st_ino))
    os.close(open_grant(grant))


def test_enrolling_refuses_what_must_never_be_granted(tmp_path: Path) -> None:
    with pytest.raises(PathRefusedError, match="path_private"):
        enrol(str(tmp_path), "ro", homes=[str(tmp_path / "home")])
    (tmp_path / "way").symlink_to("/etc")
    with pytest.raises(PathRefusedError, match="path_system"):
        enrol(str(tmp_path / "way"), "ro", homes=[])


def test_a_directory_that_was_replaced_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "work"
    place.mkdir()
    grant = enrol(str(place), "rw", homes=[])
    (tmp_path / "other").mkdir()
    place.rename(tmp_path / "old")
    (tmp_path / "other").rename(place)
    assert refusal(grant) == "path_changed"
    place.rmdir()
    place.symlink_to("/etc")
    assert refusal(grant) == "path_changed"


def test_a_file_may_be_read_but_not_granted_for_writing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.close(open_grant(PathGrant(str(file), "ro")))
    assert refusal(PathGrant(str(file), "rw")) == "path_changed"


def test_a_pipe_is_no_grant(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(PathGrant(str(tmp_path / "pipe"), "ro")) == "path_changed"


def test_mounts_below_a_grant_are_found_and_others_are_not() -> None:
    assert submounts("/srv/a", MOUNTS) == ("/srv/a/deep er",)
    assert submounts("/srv", MOUNTS) == ("/srv/a", "/srv/a/deep er", "/srv/ab")
    assert submounts("/srv/ab", MOUNTS) == ()


def test_a_mount_below_a_writable_grant_is_refused() -> None:
    with pytest.raises(PathRefusedError, match=r"path_submount.*deep er"):
        refuse_submounts(PathGrant("/srv/a", "rw"), MOUNTS)
    refuse_submounts(PathGrant("/srv/a", "ro"), MOUNTS)
    refuse_submounts(PathGrant("/srv/ab", "rw"), MOUNTS)


def test_a_survey_counts_what_the_kernel_could_not_copy_up(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"12345")
    os.link(tmp_path / "a" / "file", tmp_path / "again")
    (tmp_path / "link").symlink_to("/etc")
    descriptor = os.open(tmp_path, os.O_PATH)
    found = survey(descriptor, "/shown", uids=EVERYONE, gids=EVERYONE)
    assert (found.entries, found.size_bytes, found.foreign, found.linked) == (4, 10, 0, 2)
    foreign = survey(descriptor, "/shown", uids=EVERYONE, gids=NOBODY)
    os.close(descriptor)
    assert foreign.foreign == 4
    assert len(foreign.foreign_paths) == 3
    assert all(path.startswith("/shown/") for path in foreign.foreign_paths)
