"""A classic BPF machine, enough to run a seccomp filter on a made-up system call (linux/filter.h)."""

import struct
from collections.abc import Sequence

LOAD, AND, JEQ, JGE, JSET, RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06


def seccomp_data(number: int, arch: int, arguments: Sequence[int] = ()) -> bytes:
    """Lay out `struct seccomp_data`; arguments are 64 bits wide, negative ones as the kernel sees them."""
    six = [each & 0xFFFFFFFFFFFFFFFF for each in arguments] + [0] * (6 - len(arguments))
    return struct.pack("<iIQ6Q", number if number < 1 << 31 else number - (1 << 32), arch, 0, *six)


def run(program: bytes, data: bytes) -> int:
    """Run a filter on one call and return its verdict."""
    code = [struct.unpack_from("<HBBI", program, offset) for offset in range(0, len(program), 8)]
    accumulator: int = 0
    position = 0
    while True:
        operation, true, false, k = code[position]
        position += 1
        if operation == LOAD:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif operation == AND:
            accumulator &= k
        elif operation == RETURN:
            return int(k)
        else:
            position += true if _holds(operation, accumulator, k) else false


def _holds(operation: int, accumulator: int, k: int) -> bool:
    if operation == JEQ:
        return accumulator == k
    if operation == JGE:
        return accumulator >= k
    assert operation == JSET, f"unknown operation {operation:#x}"
    return accumulator & k != 0
