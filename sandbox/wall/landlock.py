"""Landlock by ctypes: a second wall that a process builds around itself and cannot take down.

Mounts decide what exists inside; Landlock decides again, in the kernel's security hooks, what may be opened,
written and run, and it adds what mounts cannot: a process in one domain can neither trace nor read the memory
of a process outside it, and from ABI 6 on cannot signal it. That is what keeps a program run by Bash away from
the helper that started it.

This module also runs inside the wall, so it uses the standard library only. Numbers and layouts are those of
`linux/landlock.h`; the three system calls have the same numbers on every architecture.
"""

import ctypes
import os
import struct
from collections.abc import Sequence

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_VERSION_FLAG = 1
_PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_SOCK, MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 11
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST_ABI_RIGHTS = (1 << 13) - 1
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = READ_FILE | READ_DIR
DEVICES = READ | WRITE_FILE | TRUNCATE | IOCTL_DEV
_SCOPED = 0b11  # abstract Unix sockets and signals


class LandlockError(OSError):
    """The kernel knows Landlock and refused a rule, which never happens to a rule that is right."""


def abi() -> int:
    """Ask the kernel for its Landlock ABI; 0 when it has none or it is switched off."""
    return max(0, _call(_CREATE_RULESET, 0, 0, _VERSION_FLAG))


def every_right(version: int) -> int:
    """Name all file rights that an ABI knows, so that what is not granted is denied."""
    rights = _FIRST_ABI_RIGHTS
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        rights |= right if version >= since else 0
    return rights


def encode_ruleset(version: int) -> bytes:
    """Encode `struct landlock_ruleset_attr` as long as this ABI knows it."""
    attributes = struct.pack("=QQQ", every_right(version), 0, _SCOPED)
    return attributes[: 8 if version < 4 else 16 if version < 6 else 24]


def create_ruleset(version: int, rules: Sequence[tuple[str, int]]) -> int:
    """Build a ruleset from (path, rights) pairs and return its descriptor, close-on-exec.

    Rights that the ABI lacks, or that make no sense for a file, are left out of the rule.

    Raises:
        LandlockError: The kernel refused.
        OSError: A path cannot be opened.
    """
    attributes = encode_ruleset(version)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    ruleset = _checked("create", _CREATE_RULESET, ctypes.addressof(buffer), len(attributes), 0)
    for path, rights in rules:
        _add(ruleset, path, rights & every_right(version))
    return ruleset


def restrict(ruleset: int) -> None:
    """Put the calling process into a new domain of this ruleset, inside any it is already in."""
    _checked_prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _checked("restrict", _RESTRICT_SELF, ruleset, 0)


def _add(ruleset: int, path: str, rights: int) -> None:
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        is_directory = os.path.isdir(f"/proc/self/fd/{beneath}")
        rule = struct.pack("=Qi", rights if is_directory else rights & _FILE_RIGHTS, beneath)
        buffer = ctypes.create_string_buffer(rule, len(rule))
        _checked("rule", _ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.addressof(buffer), 0)
    finally:
        os.close(beneath)


def _checked(what: str, number: int, *arguments: int) -> int:
    result = _call(number, *arguments)
    if result < 0:
        raise LandlockError(ctypes.get_errno(), f"Landlock {what}: {os.strerror(ctypes.get_errno())}")
    return result


def _checked_prctl(option: int, value: int) -> None:
    if _libc().prctl(option, value, 0, 0, 0) != 0:
        raise LandlockError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _call(number: int, *arguments: int) -> int:
    """Make a raw system call; libc's wrapper returns -1 and sets errno."""
    return int(_libc().syscall(ctypes.c_long(number), *(ctypes.c_ulong(each) for each in arguments)))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
