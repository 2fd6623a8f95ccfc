import pytest

from sandbox.wall import seccomp
from sandbox.wall.syscalls import AARCH64, X86_64, Architecture
from tests.support import bpf

ERRNO = 0x50000
BOTH = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=lambda machine: machine.name)


def verdict(machine: Architecture, call: str, *arguments: int) -> int:
    data = bpf.seccomp_data(machine.numbers[call], machine.audit, arguments)
    return bpf.run(seccomp.program(machine), data)


def denies(machine: Architecture, call: str, *arguments: int) -> bool:
    return verdict(machine, call, *arguments) == ERRNO | seccomp.EPERM


def allows(machine: Architecture, call: str, *arguments: int) -> bool:
    return verdict(machine, call, *arguments) == seccomp.ALLOW


@BOTH
def test_every_named_call_is_denied(machine: Architecture) -> None:
    present = [call for call in seccomp.DENIED if call in machine.numbers]
    assert len(present) > 50
    assert [call for call in present if not denies(machine, call)] == []


@BOTH
def test_calls_with_flags_behind_a_pointer_do_not_exist(machine: Architecture) -> None:
    for call in ("clone3", "openat2"):
        assert verdict(machine, call) == ERRNO | seccomp.ENOSYS


@BOTH
def test_an_ordinary_call_is_allowed(machine: Architecture) -> None:
    for number in (0, 3, 59, 231, 500):
        if number not in machine.numbers.values():
            assert bpf.run(seccomp.program(machine), bpf.seccomp_data(number, machine.audit)) == seccomp.ALLOW


@BOTH
def test_another_architecture_is_killed(machine: Architecture) -> None:
    for audit in (0x40000003, 0xC0000032, 0):
        assert bpf.run(seccomp.program(machine), bpf.seccomp_data(0, audit)) == seccomp.KILL_PROCESS


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 | 39, 0x40000000 | 101, 0xFFFFFFFF])
def test_x32_calls_do_not_exist_on_x86_64(number: int) -> None:
    data = bpf.seccomp_data(number, X86_64.audit)
    assert bpf.run(seccomp.program(X86_64), data) == ERRNO | seccomp.ENOSYS


@BOTH
@pytest.mark.parametrize(
    "flag", [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]
)
def test_no_new_namespace(machine: Architecture, flag: int) -> None:
    assert denies(machine, "clone", flag | 17)
    assert denies(machine, "unshare", flag)


@BOTH
def test_threads_and_forks_are_allowed(machine: Architecture) -> None:
    assert allows(machine, "clone", 0x3D0F00)
    assert allows(machine, "clone", 0x01200011)
    assert allows(machine, "clone", 0x80 | 17)  # 0x80 is part of the signal number here
    assert allows(machine, "unshare", 0x400)
    assert denies(machine, "unshare", 0x80)  # and a time namespace there


@BOTH
@pytest.mark.parametrize("command", [0x5412, 0x541C, 0x100005412, 0xFFFFFFFF0000541C])
def test_terminal_injection_is_denied_whatever_the_high_bits(machine: Architecture, command: int) -> None:
    assert denies(machine, "ioctl", 0, command)


@BOTH
def test_other_ioctls_are_allowed(machine: Architecture) -> None:
    for command in (0x5401, 0x5413, 0x5411, 0x541D):
        assert allows(machine, "ioctl", 0, command)


@BOTH
def test_personality_may_be_asked_and_reset_but_not_changed(machine: Architecture) -> None:
    assert allows(machine, "personality", 0)
    assert allows(machine, "personality", 0xFFFFFFFF)
    assert denies(machine, "personality", 0x0040000)


@BOTH
@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755, 0o4000])
def test_set_id_modes_are_denied(machine: Architecture, mode: int) -> None:
    for call, position in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2)):
        if call in machine.numbers:
            assert denies(machine, call, *([0] * position), mode)
    for call, position in (("mknod", 1), ("mknodat", 2), ("creat", 1)):
        if call in machine.numbers:
            assert denies(machine, call, *([0] * position), mode)


@BOTH
@pytest.mark.parametrize("flags", [0o100, 0o101, 0o20200000])
def test_creating_a_set_id_file_is_denied(machine: Architecture, flags: int) -> None:
    for call, position in (("open", 1), ("openat", 2)):
        if call in machine.numbers:
            before = [0] * position
            assert denies(machine, call, *before, flags, 0o4755)
            assert allows(machine, call, *before, flags, 0o755)
            assert allows(machine, call, *before, 0, 0o4755)  # the mode of an open that creates nothing


@BOTH
def test_plain_modes_are_allowed(machine: Architecture) -> None:
    assert allows(machine, "fchmod", 3, 0o1777)
    assert allows(machine, "fchmodat", 3, 0, 0o755)


@BOTH
@pytest.mark.parametrize("family", [1, 15, 16, 17, 31, 38, 40, 44])
def test_only_internet_sockets_exist(machine: Architecture, family: int) -> None:
    assert verdict(machine, "socket", family, 1, 0) == ERRNO | seccomp.EAFNOSUPPORT


@BOTH
@pytest.mark.parametrize("family", [2, 10])
def test_internet_sockets_speak_their_usual_protocols_only(machine: Architecture, family: int) -> None:
    for protocol in (0, 1, 6, 17, 58):
        assert allows(machine, "socket", family, 1, protocol)
    for protocol in (33, 132, 255, 262):
        assert verdict(machine, "socket", family, 1, protocol) == ERRNO | seccomp.EPROTONOSUPPORT


@BOTH
def test_socket_pairs_are_unix_and_connected(machine: Architecture) -> None:
    for flags in (0, 0o2000000, 0o4000):
        assert allows(machine, "socketpair", 1, 1 | flags, 0)
        assert allows(machine, "socketpair", 1, 5 | flags, 0)
        assert verdict(machine, "socketpair", 1, 2 | flags, 0) == ERRNO | seccomp.EPROTONOSUPPORT
        assert verdict(machine, "socketpair", 1, 3 | flags, 0) == ERRNO | seccomp.EPROTONOSUPPORT
    assert verdict(machine, "socketpair", 2, 1, 0) == ERRNO | seccomp.EAFNOSUPPORT


@BOTH
def test_disk_cannot_be_taken_without_writing(machine: Architecture) -> None:
    assert verdict(machine, "fallocate", 3, 0, 0, 1 << 40) == ERRNO | seccomp.EOPNOTSUPP


@BOTH
def test_a_filter_is_small_enough_for_the_kernel(machine: Architecture) -> None:
    assert len(seccomp.program(machine)) // 8 < 4096


@BOTH
def test_limits_are_set_for_oneself_alone(machine: Architecture) -> None:
    assert allows(machine, "prlimit64", 0, 7)
    assert denies(machine, "prlimit64", 1, 7)


@BOTH
def test_a_file_may_be_locked_and_not_leased(machine: Architecture) -> None:
    assert allows(machine, "fcntl", 3, 6)
    assert denies(machine, "fcntl", 3, 1024)
