"""Reading a file's content once for everything that is asked of it: size, digest, what kind of program it is."""

import hashlib
import os
from dataclasses import dataclass

from sandbox.changes.protected import names_filter

_CHUNK_BYTES = 128 * 1024
_MAX_ATTRIBUTES_BYTES = 1024 * 1024

# ELF, Mach-O (both byte orders, 32 and 64 bit, and fat), Windows programs, WebAssembly, Java classes.
_PROGRAMS = (
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"MZ",
    b"\0asm",
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds. `sha256` is hex; empty when the content was not read."""

    size_bytes: int
    sha256: str
    is_program: bool


def read_content(fd: int) -> Content:
    """Read an open file from its beginning to its end."""
    digest = hashlib.sha256()
    first = chunk = os.pread(fd, _CHUNK_BYTES, 0)
    size_bytes = 0
    while chunk:
        digest.update(chunk)
        size_bytes += len(chunk)
        chunk = os.pread(fd, _CHUNK_BYTES, size_bytes)
    return Content(size_bytes, digest.hexdigest(), first.startswith(_PROGRAMS))


def attributes_name_filter(fd: int) -> bool:
    """Say whether an open .gitattributes file assigns a filter; one too large to look through counts as such."""
    return os.fstat(fd).st_size > _MAX_ATTRIBUTES_BYTES or names_filter(
        os.pread(fd, _MAX_ATTRIBUTES_BYTES, 0)
    )
