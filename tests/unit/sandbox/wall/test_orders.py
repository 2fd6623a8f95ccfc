import dataclasses

from sandbox.gate.destinations import Destination
from sandbox.job import Limits, PathGrant, Program
from sandbox.wall import landlock, orders
from sandbox.wall.brief import Brief
from sandbox.wall.policy import PROXY_PORT, View

LIMITS = Limits(memory_bytes=1 << 30, processes=10, cpu_s=60)
VIEW = View(
    (PathGrant("/srv/read", "ro"), PathGrant("/srv/write", "rw")),
    "/srv/write",
    frozenset({"Bash", "Read"}),
    LIMITS,
)


def test_a_brief_survives_its_journey() -> None:
    brief = orders.write(VIEW, others=0)
    assert Brief.decode(brief.encode()) == brief
    assert brief.encode().count(b"\n") == 1


def test_only_writable_grants_and_artifacts_outlive_the_run() -> None:
    brief = orders.write(VIEW, others=0)
    assert brief.kept == ("/srv/write", "/run/dispatch/artifacts")
    assert brief.scratch == ("/tmp", "/home/agent", "/dev/shm")


def test_the_second_wall_lets_write_only_where_the_first_does() -> None:
    rules = dict(orders.write(VIEW, others=0).rules)
    assert rules["/"] == landlock.READ | landlock.EXECUTE
    assert not rules["/dev"] & (landlock.EXECUTE | landlock.MAKE_CHAR)
    assert "/srv/read" not in rules
    assert rules["/srv/write"] & landlock.WRITE_FILE
    assert all(
        not rights & (landlock.MAKE_CHAR | landlock.MAKE_BLOCK | landlock.MAKE_SOCK)
        for rights in rules.values()
    )


def test_without_bash_nothing_may_be_executed() -> None:
    silent = dataclasses.replace(VIEW, tools=frozenset({"Read", "Write"}))
    assert all(not rights & landlock.EXECUTE for _, rights in orders.write(silent, others=0).rules)


def test_limits_are_held_per_process() -> None:
    limits = {name: (soft, hard) for name, soft, hard in orders.rlimits(LIMITS, others=100)}
    assert limits["RLIMIT_DATA"] == (1 << 30, 1 << 30)
    assert limits["RLIMIT_CPU"] == (60, 65)
    assert limits["RLIMIT_CORE"] == (1, 1)
    assert limits["RLIMIT_NPROC"] == (112, 112)


def test_the_environment_is_ours_alone() -> None:
    environment = orders.environment(VIEW)
    assert environment["TMPDIR"] == environment["CLAUDE_CODE_TMPDIR"] == "/tmp"
    assert environment["DISPATCH_ARTIFACTS"] == "/run/dispatch/artifacts"
    assert environment["GIT_CONFIG_VALUE_0"] == "*"


def test_only_a_run_with_hosts_is_told_of_a_proxy() -> None:
    assert not [name for name in orders.environment(VIEW) if "proxy" in name.lower()]
    reaching = dataclasses.replace(VIEW, network=(Destination("pypi.org", 443),))
    told = orders.environment(reaching)
    assert {told[name] for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")} == {
        f"http://127.0.0.1:{PROXY_PORT}"
    }
    assert told["NO_PROXY"] == told["no_proxy"] == "localhost,127.0.0.1,::1"
    assert orders.write(reaching, others=0).ports == (PROXY_PORT,)


def test_a_name_that_was_granted_means_the_host_outside_and_never_the_one_inside() -> None:
    reaching = dataclasses.replace(VIEW, network=(Destination("localhost", 8443),))
    assert orders.environment(reaching)["NO_PROXY"] == "127.0.0.1,::1"


def test_the_home_of_an_agent_with_a_program_is_no_scratch_and_still_its_own() -> None:
    brief = orders.write(dataclasses.replace(VIEW, program=Program(("/bin/agent",))), others=0)
    assert brief.scratch == ("/tmp", "/dev/shm")
    assert dict(brief.rules)["/home/agent"] & landlock.WRITE_FILE
