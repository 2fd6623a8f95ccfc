"""The system call filter: which calls a run may not make, as a BPF program built in pure Python.

Everything not named is allowed, because a list of the allowed breaks each new libc and runtime. Named are the
calls that reach other processes, the kernel's rarely walked parts, other namespaces and the host's terminal,
and those that would leave a set-user-ID file in the owner's tree.

- A foreign architecture kills; the x32 calls, which share x86_64's gate, do not exist.
- `clone3` and `openat2` pass their flags by pointer, which no filter can read, so they do not exist either
  (every libc falls back to `clone` and `openat`).
- Arguments are compared on their low 32 bits where the kernel reads 32, or a caller could hide a value behind
  high bits the kernel ignores.
- `fallocate` takes a whole disk in a moment, faster than any watchdog looks; without it libc writes blocks.
- Memory in a System V segment belongs to no process and to no file, so no watchdog could count it; programs that share
  memory make a file of it.
- A lease on a file lets its holder keep the owner waiting who opens it; limits are set for oneself alone, or a
  program could starve the helper.
- Sockets: the Internet families (the network namespace holds only a loopback) and connected pairs. A datagram
  pair is refused because its end may be re-addressed to any Unix socket in a granted directory.

The rules are data, and the program is a pure function of them: `tests/unit/sandbox` runs it in a small BPF
machine. Sources: `linux/seccomp.h`, `linux/filter.h`, seccomp(2).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.wall.syscalls import Architecture

EPERM, ENOSYS, EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT = 1, 38, 93, 95, 97

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
X32_BIT = 0x40000000

# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6], little-endian on both machines.
_NR, _ARCH, _ARGS = 0, 4, 16
_LOAD, _AND, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME only where it is no signal number.
NEW_NAMESPACES = 0x7E020000
NEW_TIME = 0x80
SET_ID_BITS = 0o6000
O_CREAT, O_TMPFILE = 0o100, 0o20000000
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
F_SETLEASE = 1024
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
SOCK_STREAM, SOCK_SEQPACKET, SOCK_TYPE_MASK = 1, 5, 0xF
INTERNET_PROTOCOLS = (0, 1, 6, 17, 58)  # default, ICMP, TCP, UDP, ICMPv6: no SCTP, DCCP or raw

ABSENT = ("clone3", "openat2")
_OTHER_PROCESSES = ("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd")
_MOUNTS = (
    *(
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "open_tree",
        "open_tree_attr",
        "move_mount",
        "mount_setattr",
    ),
    *("fsopen", "fsconfig", "fsmount", "fspick"),
)
_NAMESPACES = ("setns", "sethostname", "setdomainname")
_KEYS = ("keyctl", "add_key", "request_key")
_RARE_PARTS = (
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("fanotify_init", "migrate_pages", "move_pages", "uselib", "sysfs", "ustat", "modify_ldt", "nfsservctl"),
    *("iopl", "ioperm", "vhangup", "_sysctl", "syslog", "lookup_dcookie"),
)
_FILE_HANDLES = ("name_to_handle_at", "open_by_handle_at")
_MACHINE = (
    *("kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd"),
    *("init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms"),
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime"),
)
DENIED = _OTHER_PROCESSES + _MOUNTS + _NAMESPACES + _KEYS + _RARE_PARTS + _FILE_HANDLES + _MACHINE


@dataclass(frozen=True, slots=True)
class Test:
    """One condition on one argument: `(arg & mask) == value`, or, with `any_bit`, `(arg & value) != 0`."""

    arg: int
    value: int
    mask: int = 0xFFFFFFFF
    any_bit: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What a call gets: `errno` when all `when` hold and, if there are any, none of the `unless` holds."""

    call: str
    errno: int
    when: tuple[Test, ...] = ()
    unless: tuple[Test, ...] = ()


def _set_id(call: str, mode_arg: int) -> Rule:
    return Rule(call, EPERM, when=(Test(mode_arg, SET_ID_BITS, any_bit=True),))


def _creating(call: str, flags_arg: int) -> Rule:
    flags = Test(flags_arg, O_CREAT | O_TMPFILE, any_bit=True)
    return Rule(call, EPERM, when=(flags, Test(flags_arg + 1, SET_ID_BITS, any_bit=True)))


def _internet(family: int) -> Rule:
    protocols = tuple(Test(2, protocol) for protocol in INTERNET_PROTOCOLS)
    return Rule("socket", EPROTONOSUPPORT, when=(Test(0, family),), unless=protocols)


RULES: tuple[Rule, ...] = (
    *(Rule(call, ENOSYS) for call in ABSENT),
    *(Rule(call, EPERM) for call in DENIED),
    Rule("fallocate", EOPNOTSUPP),
    Rule("shmget", ENOSYS),
    Rule("clone", EPERM, when=(Test(0, NEW_NAMESPACES, any_bit=True),)),
    Rule("unshare", EPERM, when=(Test(0, NEW_NAMESPACES | NEW_TIME, any_bit=True),)),
    Rule("ioctl", EPERM, when=(Test(1, TIOCSTI),)),
    Rule("ioctl", EPERM, when=(Test(1, TIOCLINUX),)),
    Rule("fcntl", EPERM, when=(Test(1, F_SETLEASE),)),
    Rule("prlimit64", EPERM, unless=(Test(0, 0),)),
    Rule("personality", EPERM, unless=(Test(0, 0), Test(0, 0xFFFFFFFF))),
    *(_set_id(call, arg) for call, arg in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2))),
    *(_set_id(call, arg) for call, arg in (("mknod", 1), ("mknodat", 2), ("creat", 1))),
    _creating("open", 1),
    _creating("openat", 2),
    _internet(AF_INET),
    _internet(AF_INET6),
    Rule("socket", EAFNOSUPPORT, unless=(Test(0, AF_INET), Test(0, AF_INET6))),
    Rule("socketpair", EAFNOSUPPORT, unless=(Test(0, AF_UNIX),)),
    Rule(
        "socketpair",
        EPROTONOSUPPORT,
        unless=(Test(1, SOCK_STREAM, SOCK_TYPE_MASK), Test(1, SOCK_SEQPACKET, SOCK_TYPE_MASK)),
    ),
)


def program(architecture: Architecture, rules: Sequence[Rule] = RULES) -> bytes:
    """Build the filter: an array of `struct sock_filter`, as bubblewrap's `--seccomp` reads it.

    Calls an architecture does not have are left out; the order of the rules is the order of judgement.
    """
    code = [
        _op(_LOAD, _ARCH),
        _op(_JEQ, architecture.audit, 1, 0),
        _op(_RETURN, KILL_PROCESS),
        _op(_LOAD, _NR),
    ]
    if architecture.has_x32:
        code += [_op(_JGE, X32_BIT, 0, 1), _op(_RETURN, _errno(ENOSYS))]
    for rule in rules:
        number = architecture.numbers.get(rule.call)
        if number is not None:
            code += _judge(number, rule)
    code.append(_op(_RETURN, ALLOW))
    return b"".join(code)


def _judge(number: int, rule: Rule) -> list[bytes]:
    """Compile one rule: match the call, run its tests, return the errno.

    The accumulator holds the call's number before and after. A test that spares the call jumps to the last
    instruction, which loads the number again for the next rule.
    """
    tests = (*rule.when, *rule.unless)
    loads = [_argument(test) for test in tests]
    end = sum(len(load) + 1 for load in loads) + 1
    body: list[bytes] = []
    for position, (test, load) in enumerate(zip(tests, loads, strict=True)):
        spare = end - len(body) - len(load) - 1
        true, false = (0, spare) if position < len(rule.when) else (spare, 0)
        body += [*load, _op(_JSET if test.any_bit else _JEQ, test.value, true, false)]
    body.append(_op(_RETURN, _errno(rule.errno)))
    if tests:
        body.append(_op(_LOAD, _NR))
    return [_op(_JEQ, number, 0, len(body)), *body]


def _argument(test: Test) -> list[bytes]:
    load = [_op(_LOAD, _ARGS + 8 * test.arg)]
    return load if test.mask == 0xFFFFFFFF else [*load, _op(_AND, test.mask)]


def _errno(number: int) -> int:
    return 0x00050000 | number


def _op(code: int, k: int, true: int = 0, false: int = 0) -> bytes:
    """Encode one `struct sock_filter { u16 code; u8 jt, jf; u32 k; }`."""
    return struct.pack("<HBBI", code, true, false, k)
