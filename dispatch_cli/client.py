"""The one client of the daemon: HTTP/1.1 and JSON over its Unix socket, on `socket` and `json` alone.

aiohttp would cost three times what a whole `dispatch status` takes. The daemon is trusted, but what listens
on the socket may be something else, so answers are bounded in time and size and read with suspicion.
"""

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Mapping

from dispatch_cli.errors import CliError, problem
from dispatch_cli.events import Event, Events
from dispatch_cli.http1 import Body, GarbledError, Head, body_of, head, request, split_head
from dispatch_cli.render.fields import Document

TIMEOUT_S = 30.0
SILENCE_S = 60.0  # the daemon's comment lines come more often: a longer silence is a dead stream
ANSWER_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class AbsentError(Exception):
    """Nobody listens on the daemon's socket."""


def segment(text: str) -> str:
    """Return `text` as one segment of a path or one value of a query (RFC 3986, section 2.1)."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in _utf8(text))


def _utf8(text: str) -> bytes:
    """Return the bytes of a text; under a locale that is not UTF-8, Python kept what was typed as escapes."""
    try:
        typed = text.encode("utf-8", "surrogateescape")
        typed.decode("utf-8")
    except UnicodeError as error:
        raise CliError(
            "not_encodable",
            "What you typed contains bytes that are not UTF-8 text, and nothing else can be sent.",
            hint="locale charmap",
        ) from error
    return typed


def target(path: str, query: Mapping[str, str | int | None] | None = None) -> str:
    """Return a request target; parameters that are None are left out."""
    pairs = [f"{name}={segment(str(value))}" for name, value in (query or {}).items() if value is not None]
    return path + ("?" + "&".join(pairs) if pairs else "")


class Client:
    """Asks the daemon behind one socket."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path

    def call(
        self,
        method: str,
        where: str,
        body: Document | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Document:
        """Send one request and return the JSON object of its answer.

        Raises `AbsentError` if nobody listens, `CliError` for a problem document, for an answer that
        is no answer of the daemon, and for none in time.
        """
        deadline = time.monotonic() + timeout_s
        data = None if body is None else _utf8(json.dumps(body, ensure_ascii=False))
        with _connected(self.socket_path, timeout_s) as connection:
            try:
                connection.sendall(request(method, where, headers or {}, data))
                found, content = _answer(connection, deadline)
            except (OSError, GarbledError) as error:
                raise self._lost(error) from error
        return self._read(found, content)

    def upload(self, where: str, pieces: Iterable[bytes], size_bytes: int) -> Document:
        """Send bytes as they are read, and return the answer; raises like `call`.

        A daemon that refuses them says so before it has read them all: what it said counts, not that it hung up.
        """
        sized = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
        with _connected(self.socket_path, TIMEOUT_S) as connection:
            try:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(head("POST", where, sized))
                    for piece in pieces:
                        if select.select([connection], [], [], 0)[0]:
                            break  # it has answered already
                        connection.sendall(piece)
                found, content = _answer(connection, time.monotonic() + TIMEOUT_S)
            except (OSError, GarbledError) as error:
                raise self._lost(error) from error
        return self._read(found, content)

    def watch(self, dispatch_id: str | None) -> "Stream":
        """Open the stream of events of one dispatch, or of everything."""
        connection = _connected(self.socket_path, TIMEOUT_S)
        deadline = time.monotonic() + TIMEOUT_S
        where = target("/v1/events", {"dispatch": dispatch_id})
        try:
            connection.sendall(request("GET", where, {"Accept": "text/event-stream"}, None))
            found, rest = _head(connection, deadline)
            if found.media_type == "text/event-stream" and found.status == 200:
                return Stream(connection, body_of(found), rest)
            content = _body(connection, body_of(found), rest, deadline)
        except (OSError, GarbledError) as error:
            connection.close()
            raise self._lost(error) from error
        connection.close()
        self._read(found, content)
        raise self._lost(GarbledError("the answer is no stream of events"))

    def _read(self, answered: Head, content: bytes) -> Document:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._lost(GarbledError("the answer is not JSON")) from error
        if not isinstance(value, dict):
            raise self._lost(GarbledError("the answer is no JSON object"))
        if answered.status >= 400:
            raise problem(answered.status, value)
        return value

    def _lost(self, error: Exception) -> CliError:
        if isinstance(error, TimeoutError):
            return CliError(
                "daemon_unreachable",
                "The daemon of this machine did not answer in time.",
                hint="dispatch daemon logs",
            )
        if isinstance(error, GarbledError):
            return CliError(
                "daemon_unreachable",
                f"What listens on {self.socket_path} does not answer like the daemon: {error}.",
                hint="dispatch daemon status",
            )
        return CliError(
            "daemon_unreachable",
            f"The daemon of this machine went away in the middle of an answer ({error.strerror or error})."
            if isinstance(error, OSError)
            else "The daemon of this machine went away in the middle of an answer.",
            hint="dispatch daemon logs",
        )


class Stream:
    """Events as they come; a file descriptor too, so that keys and events can be awaited together."""

    def __init__(self, connection: socket.socket, body: Body, rest: bytes) -> None:
        self._connection = connection
        self._body = body
        self._events = Events()
        self._early = self._events.feed(body.feed(rest)) if rest else []
        self.ended = False

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when something came."""
        return self._connection.fileno()

    @property
    def has_early(self) -> bool:
        """Say whether events came together with the head, before anyone could wait for them."""
        return bool(self._early)

    def receive(self, timeout_s: float) -> list[Event]:
        """Return the events of the next piece; an empty list is a sign of life without one.

        Sets `ended` when the daemon closed the stream, when it broke, or after `timeout_s` of silence.
        """
        if self._early:
            early, self._early = self._early, []
            return early
        self._connection.settimeout(timeout_s)
        try:
            data = self._connection.recv(_PIECE_BYTES)
            found = self._events.feed(self._body.feed(data))
        except (OSError, GarbledError):
            self.ended = True
            return []
        self.ended = not data or self._body.done
        return found

    def close(self) -> None:
        """Leave the stream."""
        self.ended = True
        self._connection.close()


def _connected(path: str, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(path)
        _refuse_another_user(connection, path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        connection.close()
        raise AbsentError(path) from error
    except OSError as error:
        connection.close()
        raise CliError(
            "daemon_unreachable",
            f"The daemon's socket {path} cannot be used: {error.strerror or error}.",
            hint="dispatch doctor",
        ) from error
    return connection


def _refuse_another_user(connection: socket.socket, path: str) -> None:
    """Speak only to our own daemon: a socket under a short name lies where others may write too."""
    if not hasattr(socket, "SO_PEERCRED"):
        return
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if uid != os.geteuid():
        connection.close()
        raise CliError(
            "other_user",
            f"What listens on {path} belongs to another user (uid {uid}).",
            hint="dispatch doctor",
        )


def _answer(connection: socket.socket, deadline: float) -> tuple[Head, bytes]:
    found, rest = _head(connection, deadline)
    return found, _body(connection, body_of(found), rest, deadline)


def _head(connection: socket.socket, deadline: float) -> tuple[Head, bytes]:
    data = b""
    while (found := split_head(data)) is None:
        piece = _piece(connection, deadline)
        if not piece:
            raise GarbledError("it hung up before it answered" if not data else "it hung up in the middle")
        data += piece
    return found


def _body(connection: socket.socket, body: Body, rest: bytes, deadline: float) -> bytes:
    pieces = [body.feed(rest)]
    total = len(pieces[0])
    while not body.done:
        data = _piece(connection, deadline)
        if not data:
            body.end()
            break
        pieces.append(body.feed(data))
        total += len(pieces[-1])
        if total > ANSWER_BYTES:
            raise GarbledError("the answer never ends")
    return b"".join(pieces)


def _piece(connection: socket.socket, deadline: float) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(_PIECE_BYTES)
