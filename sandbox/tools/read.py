"""Read: a numbered piece of a text file."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from sandbox.tools.workplace import Outcome, ToolError, Workplace, open_regular

DEFAULT_LINES = 2000
MAX_LINE_CHARS = 2000
_PROBED_BYTES = 8192
_PIECE_BYTES = 1 << 16


def run(given: Mapping[str, Any], workplace: Workplace) -> Outcome:
    """Return lines `offset` to `offset + limit - 1`, numbered from 1 as `cat -n` does.

    Raises:
        ToolError: No such file, no plain file, or binary.
    """
    path = workplace.locate(given["file_path"])
    first = max(1, given.get("offset", 1))
    limit = given.get("limit", DEFAULT_LINES)
    with open(open_regular(path), "rb") as file:
        if b"\0" in file.read(_PROBED_BYTES):
            raise ToolError(f"{path} is a binary file")
        file.seek(0)
        lines, more = _numbered(file, first, limit, workplace.output_bytes)
    if not lines:
        return Outcome(ok=True, output="(the file is empty)" if first == 1 else f"(no line {first})")
    output, cut = workplace.clip("\n".join(lines))
    return Outcome(ok=True, output=output, truncated=cut or more)


def _numbered(file: BinaryIO, first: int, limit: int, enough_bytes: int) -> tuple[list[str], bool]:
    """Collect the wanted lines and tell whether a default limit left lines out."""
    lines: list[str] = []
    size = 0
    for number, line in enumerate(_lines(file), start=1):
        if number < first:
            continue
        if len(lines) == limit or size > enough_bytes:
            return lines, True
        text = line.decode("utf-8", "replace")
        lines.append(f"{number:>6}\t{text[:MAX_LINE_CHARS]}")
        size += len(lines[-1])
    return lines, False


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines without their ends; a line longer than a piece loses its tail instead of filling memory."""
    while line := file.readline(_PIECE_BYTES):
        tail = line
        while not tail.endswith(b"\n") and (tail := file.readline(_PIECE_BYTES)):
            continue
        yield line.rstrip(b"\r\n")
