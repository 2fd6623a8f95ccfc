import pytest

from sandbox.wall.syscalls import AARCH64, ARCHITECTURES, X86_64, Architecture

# Written down a second time from the kernel's tables, by hand, so that a slip in one place shows.
KNOWN = {
    "x86_64": {
        "ptrace": 101,
        "mount": 165,
        "clone": 56,
        "socket": 41,
        "openat": 257,
        "keyctl": 250,
        "bpf": 321,
    },
    "aarch64": {
        "ptrace": 117,
        "mount": 40,
        "clone": 220,
        "socket": 198,
        "openat": 56,
        "keyctl": 219,
        "bpf": 280,
    },
}


@pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=lambda machine: machine.name)
def test_numbers_are_those_of_the_kernel_and_no_two_calls_share_one(machine: Architecture) -> None:
    assert {call: machine.numbers[call] for call in KNOWN[machine.name]} == KNOWN[machine.name]
    assert len(set(machine.numbers.values())) == len(machine.numbers)


def test_aarch64_lacks_the_old_calls() -> None:
    old = {"open", "creat", "chmod", "mknod", "uselib", "sysfs", "ustat", "modify_ldt", "iopl", "ioperm"}
    assert old & set(AARCH64.numbers) == set()
    assert set(X86_64.numbers) > set(AARCH64.numbers)


def test_an_architecture_is_found_by_the_name_the_system_gives() -> None:
    assert ARCHITECTURES["arm64"] is ARCHITECTURES["aarch64"] is AARCH64
    assert not AARCH64.has_x32
