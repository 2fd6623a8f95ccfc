"""HTTP/1.1 as the command line needs it: one request written, one answer read, no I/O here.

The usual HTTP libraries cost more start-up time than the whole of `dispatch status`; what one loopback
request needs is a head and three ways to delimit a body (RFC 9112, section 6). Everything read comes from
another process, so every length is bounded and every surprise is a `GarbledError`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

HEAD_BYTES = 64 * 1024
_END = b"\r\n\r\n"


class GarbledError(Exception):
    """What came back is not HTTP/1.1 as this client understands it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the headers of an answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]

    @property
    def media_type(self) -> str:
        """Return the content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request whose body follows by itself."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("ascii") + _END


def request(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return the bytes of one request; the caller has already made header values safe."""
    sized = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return head(method, target, {**headers, **sized}) + (body or b"")


def split_head(data: bytes) -> tuple[Head, bytes] | None:
    """Return the head and what follows it, or None while it is incomplete."""
    end = data.find(_END)
    if end < 0:
        if len(data) > HEAD_BYTES:
            raise GarbledError("the head of the answer never ends")
        return None
    lines = data[:end].decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
        raise GarbledError("the answer does not begin like HTTP")
    headers: dict[str, str] = {}
    for row in lines[1:]:
        name, colon, value = row.partition(":")
        if not colon:
            raise GarbledError("the answer has a broken header")
        headers[name.strip().lower()] = value.strip()
    return Head(int(code), headers), data[end + len(_END) :]


class Body(Protocol):
    """A body that arrives in pieces: `feed` returns what is new, `done` says that it is whole."""

    done: bool

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection; return those of the body."""
        ...

    def end(self) -> None:
        """Take the end of the connection; raise `GarbledError` if the body was not whole."""
        ...


def body_of(head: Head) -> Body:
    """Choose how the body ends: by chunks, by length, or with the connection."""
    if head.status in {204, 304}:
        return Sized(0)
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return Chunked()
    length = head.headers.get("content-length")
    if length is None:
        return Unbounded()
    if not (length.isascii() and length.isdigit()) or len(length) > 12:
        raise GarbledError("the answer has no readable length")
    return Sized(int(length))


class Sized:
    """A body of a stated length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> bytes:
        """Return what belongs to the body."""
        taken = data[: self._left]
        self._left -= len(taken)
        self.done = self._left == 0
        return taken

    def end(self) -> None:
        """Refuse an end before the stated length."""
        if not self.done:
            raise GarbledError("the answer ended in the middle")


class Unbounded:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Return everything."""
        return data

    def end(self) -> None:
        """Accept the end: it is how such a body ends."""
        self.done = True


class Chunked:
    """A body in chunks (RFC 9112, section 7.1); trailers are read and dropped."""

    def __init__(self) -> None:
        self.done = False
        self._pieces = self._run()
        self._buffer = b""
        self._out: list[bytes] = []
        next(self._pieces)

    def feed(self, data: bytes) -> bytes:
        """Return the contents of the chunks so far complete or begun."""
        if self.done:
            return b""
        self._buffer += data
        self._out = []
        self.done = next(self._pieces)
        return b"".join(self._out)

    def end(self) -> None:
        """Refuse an end before the last chunk."""
        if not self.done:
            raise GarbledError("the answer ended in the middle of a chunk")

    def _run(self) -> Iterator[bool]:
        """Walk through the chunks, yielding False whenever more bytes are needed and True at the end."""
        while True:
            while b"\r\n" not in self._buffer:
                if len(self._buffer) > HEAD_BYTES:
                    raise GarbledError("a chunk has no readable size")
                yield False
            left = self._take_size()
            if left == 0:
                break
            while left > 0:
                piece, self._buffer = self._buffer[:left], self._buffer[left:]
                left -= len(piece)
                self._out.append(piece)
                if left > 0:
                    yield False
            while len(self._buffer) < 2:
                yield False
            if self._buffer[:2] != b"\r\n":
                raise GarbledError("a chunk is longer than it said")
            self._buffer = self._buffer[2:]
        while not (self._buffer.startswith(b"\r\n") or _END in self._buffer):
            if len(self._buffer) > HEAD_BYTES:
                raise GarbledError("the trailers of the answer never end")
            yield False
        while True:
            yield True

    def _take_size(self) -> int:
        row, _, self._buffer = self._buffer.partition(b"\r\n")
        digits = row.partition(b";")[0].strip()
        if not digits or len(digits) > 8 or not all(byte in b"0123456789abcdefABCDEF" for byte in digits):
            raise GarbledError("a chunk has no readable size")
        return int(digits, 16)
