import asyncio
import os
from pathlib import Path

import pytest

from sandbox.job import Limits
from sandbox.wall.census import Count
from sandbox.wall.watchdog import Meters, Usage, disk_usage, exceeded, watch

LIMITS = Limits(wall_s=10, memory_bytes=1000, processes=5, upper_bytes=100, upper_files=3)
FINE = Count(processes=7, memory_bytes=1000, available_bytes=500, total_bytes=1000)
SMALL = Usage(100, 3)


def judge(
    used_s: float = 1, disk: Usage = SMALL, inside: Count | None = FINE, *, oom: bool = False
) -> str | None:
    error = exceeded(LIMITS, used_s=used_s, disk=disk, inside=inside, oom=oom)
    return None if error is None else error.code


def test_at_its_limits_a_run_is_fine() -> None:
    assert judge() is None
    assert judge(inside=None) is None


@pytest.mark.parametrize(
    ("used_s", "disk", "inside", "oom", "code"),
    [
        (10, SMALL, FINE, False, "wall_clock"),
        (1, SMALL, None, True, "memory"),
        (1, SMALL, Count(1, 1001, 500, 1000), False, "memory"),
        (1, SMALL, Count(1, 1, 31, 1000), False, None),
        (1, SMALL, Count(1, 1, 30, 1000), False, "memory"),
        (1, SMALL, Count(8, 1, 500, 1000), False, "processes"),
        (1, Usage(101, 1), FINE, False, "disk"),
        (1, Usage(1, 4), FINE, False, "files"),
        (1, Usage(1, 1, too_deep=True), FINE, False, "files"),
    ],
)
def test_each_limit_has_a_name(
    used_s: float, disk: Usage, inside: Count | None, oom: bool, code: str | None
) -> None:
    assert judge(used_s, disk, inside, oom=oom) == code


def test_disk_is_what_is_allocated_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 10_000)
    (tmp_path / "link").symlink_to("/usr")
    usage = disk_usage([tmp_path, tmp_path / "missing"])
    assert usage.entries == 3
    assert 10_000 <= usage.size_bytes < 100_000
    assert not usage.too_deep


def test_a_directory_that_shuts_us_out_is_counted_and_left_as_it_was(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    (shut / "file").write_bytes(b"x" * 10_000)
    shut.chmod(0o000)
    try:
        assert disk_usage([tmp_path]).entries == 2
        assert shut.stat().st_mode & 0o777 == 0
    finally:
        shut.chmod(0o700)


def test_a_tree_too_deep_to_name_is_told(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(20):
            os.mkdir("x" * 200)
            os.chdir("x" * 200)
        assert disk_usage([tmp_path]).too_deep
    finally:
        for _ in range(20):
            os.chdir("..")
            os.rmdir("x" * 200)
        os.chdir(here)


async def test_the_deadline_is_met_even_between_two_looks(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    meters = Meters((tmp_path,), None, None)
    error = await watch(Limits(wall_s=0.05), meters, clock, started)
    assert error.code == "wall_clock"
    assert clock() - started < 5
