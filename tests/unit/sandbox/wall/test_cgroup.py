from pathlib import Path

from sandbox.wall.cgroup import candidates

V2 = "25 1 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = (
    "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 1 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "32 1 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)


def test_version_2_is_tried_here_and_beside_us() -> None:
    own = "0::/user.slice/user-1000.slice/app.slice/x.scope\n"
    here = Path("/sys/fs/cgroup/user.slice/user-1000.slice/app.slice")
    assert candidates(own, V2) == ((2, (here / "x.scope",)), (2, (here,)))


def test_nothing_above_the_mount_is_tried() -> None:
    assert candidates("0::/\n", V2) == ((2, (Path("/sys/fs/cgroup"),)),)


def test_version_1_needs_both_hierarchies() -> None:
    own = "8:pids:/\n4:memory:/deep\n2:cpu,cpuacct:/\n"
    wanted = (Path("/sys/fs/cgroup/memory/deep"), Path("/sys/fs/cgroup/pids"))
    assert candidates(own, V1) == ((1, wanted),)
    assert candidates(own, V1.splitlines()[0]) == ()


def test_both_versions_are_candidates_where_both_are_mounted() -> None:
    own = "8:pids:/\n4:memory:/\n0::/\n"
    assert [version for version, _ in candidates(own, V1 + V2)] == [2, 1]


def test_without_any_there_is_none() -> None:
    assert candidates("0::/\n", "") == ()
