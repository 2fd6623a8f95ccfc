import dataclasses

import pytest

from sandbox.errors import PathRefusedError, SandboxError
from sandbox.job import Limits, PathGrant, Policy, Program
from sandbox.wall.policy import PROXY_PORT, TOOLS, View, check_path, is_inside, private_directories, resolve

HOME = "/home/bob"
ALL = frozenset(TOOLS)
READING = frozenset({"Read", "Glob", "Grep"})


def view(*paths: tuple[str, str], tools: frozenset[str] = ALL, cwd: str | None = None) -> View:
    grants = tuple(PathGrant(path, mode) for path, mode in paths)
    policy = Policy(grants, cwd or paths[0][0], tools)
    return resolve(policy, homes=[HOME], forbidden=["/srv/dispatch-home"])


def code(path: str) -> str:
    with pytest.raises(PathRefusedError) as caught:
        check_path(path, homes=[HOME], forbidden=["/srv/dispatch-home"])
    assert caught.value.remedy
    return caught.value.code


@pytest.mark.parametrize("path", ["/", "/home", "/usr", "/etc", "/tmp", "/var", "/var/lib", "/root", "/run"])
def test_a_system_directory_is_not_granted_whole(path: str) -> None:
    assert code(path) == "path_system"


@pytest.mark.parametrize("path", ["/proc/1", "/sys/kernel", "/dev/shm", "/run/dispatch/x", "/run/scratch"])
def test_what_the_kernel_or_the_wall_makes_is_not_granted_at_all(path: str) -> None:
    assert code(path) == "path_system"


@pytest.mark.parametrize(
    "path",
    [
        "/home/bob",
        "/home/bob/.ssh",
        "/home/bob/.ssh/keys",
        "/home/bob/.dispatch",
        "/home/bob/.dispatch/runs/1",
        "/home/bob/.claude",
        "/srv/dispatch-home",
        "/srv/dispatch-home/runs",
    ],
)
def test_what_holds_keys_or_records_is_refused_with_all_above_and_below(path: str) -> None:
    assert code(path) == "path_private"


def test_the_parent_of_a_home_that_lies_in_an_unusual_place_is_refused() -> None:
    with pytest.raises(PathRefusedError, match="path_private"):
        check_path("/data/people", homes=["/data/people/bob"], forbidden=[])
    with pytest.raises(PathRefusedError, match="path_private"):
        check_path("/data", homes=[], forbidden=["/data/private"])


@pytest.mark.parametrize(
    "path", ["", "work", "/a/../b", "/a/./b", "/a//b", "//a", "/a/", "/a\0b", "/" + "a/" * 3000]
)
def test_a_path_that_is_not_canonical_is_refused(path: str) -> None:
    assert code(path) == "path_invalid"


@pytest.mark.parametrize(
    "path", ["/home/bob/work", "/home/bob/.sshfs", "/srv/site", "/tmp/x", "/var/tmp/x", "/run/media/x"]
)
def test_a_project_may_be_granted(path: str) -> None:
    check_path(path, homes=[HOME], forbidden=["/srv/dispatch-home"])


def test_inside_means_the_directory_itself_or_below_and_not_a_longer_name() -> None:
    assert is_inside("/a/b", "/a/b")
    assert is_inside("/a/b/c", "/a/b")
    assert is_inside("/a", "/")
    assert not is_inside("/a/bc", "/a/b")
    assert not is_inside("/a", "/a/b")


def test_private_directories_are_named_once() -> None:
    assert private_directories(["/h"], ["/h/.ssh", "/x"]) == ("/h/.dispatch", "/h/.ssh", "/h/.claude", "/x")


def test_without_a_writing_tool_nothing_is_writable() -> None:
    assert view(("/srv/a", "rw"), ("/srv/b", "ro"), tools=READING).writable == ()
    assert [grant.path for grant in view(("/srv/a", "rw"), ("/srv/b", "ro")).writable] == ["/srv/a"]


@pytest.mark.parametrize("tool", ["Write", "Edit", "Bash"])
def test_each_writing_tool_makes_a_writable_grant_writable(tool: str) -> None:
    assert view(("/srv/a", "rw"), tools=frozenset({tool})).writable


def test_a_grant_inside_another_of_the_same_mode_is_the_other() -> None:
    seen = view(("/srv/a/b", "rw"), ("/srv/a", "rw"), ("/srv/ab", "rw"), cwd="/srv/a/b")
    assert [grant.path for grant in seen.grants] == ["/srv/a", "/srv/ab"]


def test_a_grant_inside_another_of_another_mode_is_refused() -> None:
    for outer, inner in (("rw", "ro"), ("ro", "rw")):
        with pytest.raises(PathRefusedError, match="grants_nested"):
            view(("/srv/a", outer), ("/srv/a/b", inner))


def test_nested_grants_of_two_modes_are_one_where_nothing_writes() -> None:
    assert len(view(("/srv/a", "ro"), ("/srv/a/b", "rw"), tools=READING).grants) == 1


def test_the_run_directory_lies_in_a_grant() -> None:
    assert view(("/srv/a", "rw"), cwd="/srv/a/deep/er").cwd == "/srv/a/deep/er"
    for cwd in ("/srv", "/srv/ab"):
        with pytest.raises(PathRefusedError, match="outside_paths"):
            view(("/srv/a", "rw"), cwd=cwd)
    with pytest.raises(PathRefusedError, match="path_invalid"):
        view(("/srv/a", "rw"), cwd="/srv/a/..")


def test_no_grant_or_too_many_are_refused() -> None:
    with pytest.raises(PathRefusedError, match="path_invalid"):
        resolve(Policy((), "/srv/a", ALL), homes=[], forbidden=[])
    with pytest.raises(PathRefusedError, match="path_invalid"):
        view(*[(f"/srv/{number}", "rw") for number in range(65)])


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(SandboxError, match=r"tools_unknown.*WebFetch"):
        view(("/srv/a", "rw"), tools=frozenset({"Read", "WebFetch"}))


def test_the_hosts_of_a_scope_are_read_and_served_at_a_port_inside() -> None:
    policy = Policy((PathGrant("/srv/a", "rw"),), "/srv/a", ALL, network=("example.org", "git.lan:8443"))
    made = resolve(policy, homes=[HOME], forbidden=[])
    assert [str(each) for each in made.network] == ["example.org:443", "git.lan:8443"]
    assert made.ports == (PROXY_PORT,)
    assert dataclasses.replace(made, program=Program(("/bin/agent",), ports=(3128,))).ports == (
        3128,
        PROXY_PORT,
    )
    assert dataclasses.replace(made, network=()).ports == ()


@pytest.mark.parametrize(
    "hosts", [("127.0.0.1",), ("EXAMPLE.org",), tuple(f"h{n}.example" for n in range(65))]
)
def test_hosts_that_are_none_or_too_many_are_refused(hosts: tuple[str, ...]) -> None:
    policy = Policy((PathGrant("/srv/a", "rw"),), "/srv/a", ALL, network=hosts)
    with pytest.raises(SandboxError, match="network_invalid"):
        resolve(policy, homes=[HOME], forbidden=[])


def test_an_agent_cannot_take_the_port_of_the_hosts() -> None:
    agent = Program(("/bin/agent",), ports=(3128, PROXY_PORT))
    policy = Policy((PathGrant("/srv/a", "rw"),), "/srv/a", ALL, program=agent)
    with pytest.raises(SandboxError, match="program_invalid"):
        resolve(policy, homes=[HOME], forbidden=[])


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_must_be_above_zero(name: str) -> None:
    policy = Policy(
        (PathGrant("/srv/a", "rw"),), "/srv/a", ALL, limits=dataclasses.replace(Limits(), **{name: 0})
    )
    with pytest.raises(SandboxError, match="limits_invalid"):
        resolve(policy, homes=[], forbidden=[])


def test_scratch_moves_away_from_a_grant() -> None:
    usual = view(("/srv/a", "rw"))
    assert (usual.scratch, usual.home) == ("/tmp", "/home/agent")
    moved = view(("/tmp/a", "rw"), ("/home/agent/work", "ro"))
    assert (moved.scratch, moved.home) == ("/run/scratch", "/run/dispatch/home")


def test_programs_run_only_with_bash() -> None:
    assert view(("/srv/a", "rw")).runs_programs
    assert not view(("/srv/a", "rw"), tools=frozenset({"Write"})).runs_programs
