import dataclasses
from itertools import pairwise

import pytest

from sandbox.job import ARTIFACTS, Limits, PathGrant, Program
from sandbox.wall.bubblewrap import HELPER, Descriptors, Machine, arguments, command, encode
from sandbox.wall.policy import View

MERGED = Machine(
    links=(("/bin", "usr/bin"), ("/lib", "usr/lib")),
    directories=("/lib32",),
    etc=("/etc/alternatives",),
    python="/run/dispatch/python/bin/python3.11",
    python_parts=(("/opt/python/lib", "/run/dispatch/python/lib"),),
    kernel_files=("kcore",),
)
NUMBERS = Descriptors(
    grants=(20, 21),
    attachments=31,
    artifacts=22,
    etc=(("passwd", 23),),
    helper=24,
    node_preload=25,
    seccomp=26,
    info=27,
    block=28,
    hears=29,
    says=30,
)
VIEW = View(
    grants=(PathGrant("/srv/read", "ro"), PathGrant("/srv/write", "rw")),
    cwd="/srv/write",
    tools=frozenset({"Bash"}),
    limits=Limits(scratch_bytes=1 << 20),
)


def words(view: View = VIEW, machine: Machine = MERGED) -> tuple[str, ...]:
    return arguments(view, machine, NUMBERS)


def has(given: tuple[str, ...], *sequence: str) -> bool:
    return any(given[start : start + len(sequence)] == sequence for start in range(len(given)))


def test_every_namespace_is_new_and_the_run_dies_with_its_launcher() -> None:
    for option in ("user", "pid", "net", "ipc", "uts"):
        assert f"--unshare-{option}" in words()
    for option in (
        "--unshare-cgroup-try",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
    ):
        assert option in words()
    assert has(words(), "--cap-drop", "ALL")
    assert has(words(), "--uid", "1000", "--gid", "1000")


def test_grants_come_by_descriptor_and_never_by_name() -> None:
    assert has(words(), "--ro-bind-fd", "20", "/srv/read")
    assert has(words(), "--bind-fd", "21", "/srv/write")
    named = [after for before, after in pairwise(words()) if before in ("--bind", "--ro-bind", "--dev-bind")]
    assert named == ["/usr", "/lib32", "/dev/null", "/opt/python/lib"]


def test_a_read_only_view_binds_nothing_writable_but_the_artifacts() -> None:
    view = dataclasses.replace(VIEW, grants=(PathGrant("/srv/read", "ro"), PathGrant("/srv/more", "ro")))
    writable = [word for word in words(view) if word in ("--bind", "--bind-fd", "--bind-try", "--dev-bind")]
    assert writable == ["--bind-fd"]
    assert has(words(view), "--bind-fd", "22", ARTIFACTS)


def test_what_lies_around_the_grants_is_read_only_and_made_so_last() -> None:
    given = words()
    for place in ("/", "/dev", "/proc", "/run"):
        assert has(given, "--remount-ro", place)
    first = given.index("--remount-ro")
    assert not {"--bind-fd", "--ro-bind-fd", "--tmpfs", "--ro-bind"} & set(given[first:])


def test_scratch_is_sized() -> None:
    given = words()
    sizes = {given[at + 5]: given[at + 1] for at, word in enumerate(given) if word == "--size"}
    assert sizes == {"/tmp": "1048576", "/home/agent": "1048576", "/dev/shm": "1048576"}


def test_below_tmp_the_parents_of_a_grant_are_no_scratch() -> None:
    view = dataclasses.replace(
        VIEW, grants=(PathGrant("/tmp/a", "ro"), PathGrant("/tmp/b/c", "rw")), cwd="/tmp/a"
    )
    given = words(view)
    assert not has(given, "--tmpfs", "/tmp")
    assert has(given, "--tmpfs", "/run/scratch")
    assert given.index("/run/scratch") > given.index("/run")


def test_an_interpreter_in_usr_needs_no_mount_of_its_own() -> None:
    machine = dataclasses.replace(MERGED, python="/usr/bin/python3.11", python_parts=())
    assert "/opt/python/lib" not in words(machine=machine)


def test_the_filter_and_the_pipes_are_named() -> None:
    for option, number in (("--seccomp", "26"), ("--info-fd", "27"), ("--block-fd", "28")):
        assert has(words(), option, number)


def test_every_descriptor_is_passed_on() -> None:
    assert sorted(NUMBERS.all()) == list(range(20, 32))


def test_the_command_line_tells_nothing() -> None:
    given = command("/usr/bin/bwrap", 31, MERGED, NUMBERS)
    assert given == (
        "/usr/bin/bwrap",
        "--args",
        "31",
        "--",
        MERGED.python,
        "-I",
        "-S",
        "-B",
        HELPER,
        "29",
        "30",
    )


def test_options_end_with_a_nul_and_hold_none() -> None:
    assert encode(["--chdir", "/a b"]) == b"--chdir\0/a b\0"
    assert encode(["/\udcff"]) == b"/\xff\0"
    with pytest.raises(ValueError, match="NUL"):
        encode(["/a\0--bind"])


def test_what_tells_of_the_kernel_is_covered_after_proc_is_there() -> None:
    said = words()
    covered = [said[at : at + 3] for at, word in enumerate(said) if word == "--ro-bind"]
    assert ("--ro-bind", "/dev/null", "/proc/kcore") in covered
    assert said.index("/proc/kcore") > said.index("--proc")


def test_an_agent_with_a_program_has_a_home_on_the_disk_and_nobody_else_its_number() -> None:
    resident = dataclasses.replace(VIEW, program=Program(("/bin/agent",)))
    numbers = dataclasses.replace(NUMBERS, home=32)
    told = arguments(resident, MERGED, numbers)
    at = told.index("/home/agent", told.index("--bind-fd"))
    assert told[at - 2 : at] == ("--bind-fd", "32")
    assert "/home/agent" not in [told[number + 1] for number, word in enumerate(told) if word == "--tmpfs"]
    assert 32 in numbers.all()
    assert words()[words().index("/home/agent") - 1] != "--bind-fd"
    assert set(NUMBERS.all()) == {*range(20, 24), *range(24, 32)}
