"""What a program inside asks a proxy for, read strictly: a tunnel to a host (CONNECT), or one plain request of HTTP.

A plain request (RFC 9112, absolute form) is never passed on as it came. It is read whole and another is written: for the
host that was judged and no other, with a body of a known length, and as the last one of its connection. So a second
request, for another host at the same address, can hide neither in the first nor behind it.
"""

import re
from dataclasses import dataclass

from sandbox.gate.destinations import Destination
from sandbox.gate.refusal import GateRefusalError, malformed, refuse

HEAD_BYTES = 16 * 1024
HTTP_PORT = 80
_LINE = re.compile(r"(?P<method>[A-Z]{1,20}) (?P<target>[!-~]{1,8000}) HTTP/1\.[01]")
_HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*(?P<value>[\t -~]*?)[ \t]*")
_URL = re.compile(r"http://(?P<place>[^/?#@]+)(?P<path>/[^#]*|\?[^#]*)?", re.IGNORECASE)
_PATCHY = ("TRACE", "TRACK")
# What concerns this connection only (RFC 9110, section 7.6.1), and what is written anew.
_DROPPED = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "host"),
        *("content-length", "proxy-connection", "proxy-authorization", "proxy-authenticate"),
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for. A plain request has the `head` that leaves and `body_bytes` after it; a tunnel has none."""

    destination: Destination
    head: bytes | None = None
    body_bytes: int = 0


def parse(head: bytes) -> Asked:
    """Read the head of a request, up to and with its empty line.

    Raises:
        GateRefusalError: `gate_malformed` for what is no such request, `gate_forbidden` for what is one and does not leave.
    """
    lines = _text(head).split("\r\n")
    if lines[-2:] != ["", ""]:
        malformed("the request has no end")
    first = _LINE.fullmatch(lines[0])
    if first is None:
        malformed("the first line is no request to a proxy")
    headers = [_header(line) for line in lines[1:-2]]
    if first["method"] == "CONNECT":
        return Asked(_destination(first["target"]))
    return _plain(first["method"], first["target"], headers)


def _text(head: bytes) -> str:
    try:
        return head.decode("ascii")
    except UnicodeDecodeError:
        malformed("the request is no text")


def _header(line: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(line)
    if found is None:
        malformed("a header is none")
    return found["name"].lower(), found["value"]


def _destination(place: str) -> Destination:
    """Read `host:port`; what is not written as grants write it was not granted."""
    host, colon, port = place.rpartition(":")
    try:
        return Destination.read(f"{host.lower()}:{port}" if colon else "")
    except ValueError:
        refuse(f"{place[:80]!r} is no host and port by name, and only such are granted")


def _plain(method: str, target: str, headers: list[tuple[str, str]]) -> Asked:
    """Write the request that leaves for a plain one."""
    url = _URL.fullmatch(target)
    if url is None or method in _PATCHY:
        refuse("only CONNECT, and requests of http:// by their whole address, leave this wall")
    place = url["place"]
    destination = _destination(place if ":" in place else f"{place}:{HTTP_PORT}")
    if destination.port != HTTP_PORT:
        refuse(f"{destination} is reached by TLS, with CONNECT; plain HTTP leaves for port {HTTP_PORT} only")
    named = [value.lower() for name, value in headers if name == "host"]
    if len(named) > 1 or any(each not in (destination.host, str(destination)) for each in named):
        malformed("the request names another host than its address")
    length = _length(headers)
    nominated = {
        word.strip().lower() for name, value in headers if name == "connection" for word in value.split(",")
    }
    path = url["path"] or "/"
    sent = [f"{method} {path if path.startswith('/') else f'/{path}'} HTTP/1.1", f"Host: {destination.host}"]
    sent += [f"{name}: {value}" for name, value in headers if name not in _DROPPED | nominated]
    sent += [f"Content-Length: {length}"] if length is not None else []
    return Asked(destination, "\r\n".join([*sent, "Connection: close", "", ""]).encode(), length or 0)


def _length(headers: list[tuple[str, str]]) -> int | None:
    """Return how long the body is; None if nothing says that there is one."""
    if any(name == "transfer-encoding" for name, _ in headers):
        raise GateRefusalError("gate_malformed", "a body must say its length before it comes", 411)
    lengths = [value for name, value in headers if name == "content-length"]
    if not lengths:
        return None
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,15}", lengths[0]):
        malformed("the length of the body is none")
    return int(lengths[0])
