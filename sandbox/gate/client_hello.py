"""The first words of a TLS client, read just far enough to learn whom it asks for, and strictly.

Many names live at one address, and what a client sends after its hello is sealed. So the name in the hello must be the one
that was granted, or one allowed host of a large network would be a door to every other there. A hello that hides its name
(ECH) is refused for the same reason. No input or output here: `Hello` says how many bytes it wants and is given them.
"""

from dataclasses import dataclass, field

HELLO_BYTES = 16 * 1024
RECORDS = 16
_RECORD_BYTES = 16 * 1024
_HEADER_BYTES, _PREFIX_BYTES = 5, 4  # of a record, and of a message in it
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_VERSIONS = (b"\x03\x01", b"\x03\x02", b"\x03\x03")  # TLS 1.3 calls itself 1.2 here (RFC 8446, section 4.1.2)
_SERVER_NAME, _HOST_NAME = 0, 0
_HIDING = (0xFE0D, 0xFFCE)  # ECH, and what it was before


class HelloError(Exception):
    """It is no hello of a TLS client, or not one that says whom it asks for."""


@dataclass(slots=True)
class Hello:
    """A hello on its way; `name` is None until it is whole. Fragments in several records are put together."""

    name: str | None = None
    wanted: int = _HEADER_BYTES
    taken: bytearray = field(default_factory=bytearray)  # everything so far, to be passed on as it came
    _message: bytearray = field(default_factory=bytearray)
    _records: int = 0
    _is_header: bool = True

    def take(self, data: bytes) -> None:
        """Take exactly the bytes that were `wanted`.

        Raises:
            HelloError: What came so far cannot become a hello with one name.
        """
        self.taken += data
        if self._is_header:
            self.wanted = _length(data)
        else:
            self._message += data
            self.wanted = _HEADER_BYTES
            self._look()
        self._is_header = not self._is_header

    def _look(self) -> None:
        """Read the message if it is whole."""
        message = self._message
        self._records += 1
        if message[0] != _CLIENT_HELLO:
            raise HelloError("its first message is no client's hello")
        if len(message) >= _PREFIX_BYTES:
            size = _PREFIX_BYTES + int.from_bytes(message[1:_PREFIX_BYTES])
            if not _PREFIX_BYTES < size <= HELLO_BYTES or len(message) > size:
                raise HelloError("its hello is longer or shorter than a hello is")
            if len(message) == size:
                self.name = _name(bytes(message[_PREFIX_BYTES:]))
                return
        if self._records >= RECORDS:
            raise HelloError("its hello comes in too many pieces")


def _length(header: bytes) -> int:
    length = int.from_bytes(header[3:5])
    if header[0] != _HANDSHAKE or header[1:3] not in _VERSIONS or not 1 <= length <= _RECORD_BYTES:
        raise HelloError("it does not speak TLS")
    return length


class _Reader:
    """Takes what is counted from a body, and complains when it is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def rest(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.rest:
            raise HelloError("its hello is cut off")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))


def _name(body: bytes) -> str:
    """Read a whole hello and return the one name in it (RFC 8446, section 4.1.2; RFC 6066, section 3)."""
    reader = _Reader(body)
    version = reader.take(2)
    reader.take(32)  # random
    session, suites, compressions = reader.vector(1), reader.vector(2), reader.vector(1)
    if version not in _VERSIONS or len(session) > 32 or len(suites) % 2 or not suites or not compressions:
        raise HelloError("its hello is malformed")
    extensions = _Reader(reader.vector(2) if reader.rest else b"")
    if reader.rest:
        raise HelloError("its hello is malformed")
    found: dict[int, bytes] = {}
    while extensions.rest:
        kind = extensions.number(2)
        if kind in found:
            raise HelloError("its hello says something twice")
        found[kind] = extensions.vector(2)
    if any(kind in found for kind in _HIDING):
        raise HelloError("its hello hides the name of whom it asks for")
    if _SERVER_NAME not in found:
        raise HelloError("its hello does not name whom it asks for")
    return _host_name(found[_SERVER_NAME])


def _host_name(data: bytes) -> str:
    """Read the extension that names the server: a list of exactly one host name."""
    extension = _Reader(data)
    names = _Reader(extension.vector(2))
    kind, name = names.number(1), names.vector(2)
    if extension.rest or names.rest or kind != _HOST_NAME or not name or not name.isascii():
        raise HelloError("its hello names the server in a way that is not known")
    return name.decode("ascii").lower()
