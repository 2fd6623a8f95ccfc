"""What the kernel must let execute for one program to start: the file, its interpreter, and its loader.

Without the tool Bash a run executes nothing, and an agent inside is still a program. So exactly its own files may be
executed: what a `#!` line names, the loader an ELF file asks for, and the directories its owner named.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

_LINE_BYTES = 256
_DEPTH = 4
_PT_INTERP = 3


def executables(program: str, directories: Sequence[str], path: str) -> tuple[str, ...]:
    """List the files and directories that must be executable for a program; `path` is the PATH inside."""
    found = [each for each in directories if os.path.isdir(each)]
    pending = [program]
    for _ in range(_DEPTH):
        if not pending:
            break
        file = os.path.realpath(pending.pop())
        found.append(file)
        pending += _next(file, path)
    return tuple(dict.fromkeys(each for each in found if os.path.exists(each)))


def _next(program: str, path: str) -> list[str]:
    try:
        with Path(program).open("rb") as file:
            head = file.read(_LINE_BYTES)
    except OSError:
        return []
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
        return [*words[:1], *_found(words[1:], path)] if words and words[0].endswith("/env") else words[:1]
    return _loader(program) if head.startswith(b"\x7fELF") else []


def _found(words: Sequence[str], path: str) -> list[str]:
    """Find the program that `env` would start."""
    name = next((word for word in words if not word.startswith("-") and "=" not in word), "")
    places = [os.path.join(place, name) for place in path.split(":")]
    return [place for place in places if name and os.access(place, os.X_OK)][:1]


def _loader(program: str) -> list[str]:
    """Read PT_INTERP of a 64-bit little-endian ELF file (elf(5)); a static program has none."""
    with Path(program).open("rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[4:6] != b"\x02\x01":
            return []
        (offset,) = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        for number in range(min(count, 64)):
            file.seek(offset + number * size)
            entry = file.read(56)
            if len(entry) == 56 and struct.unpack_from("<I", entry)[0] == _PT_INTERP:
                file.seek(struct.unpack_from("<Q", entry, 8)[0])
                name = file.read(min(struct.unpack_from("<Q", entry, 32)[0], 4096))
                return [name.rstrip(b"\0").decode("utf-8", "replace")]
    return []
