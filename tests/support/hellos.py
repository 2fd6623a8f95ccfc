"""First words of TLS clients: real ones, made by OpenSSL for a name, and ones written by hand, as nobody honest says them."""

import ssl
from collections.abc import Sequence

from sandbox.gate.client_hello import Hello

Extension = tuple[int, bytes]


def real_hello(name: str | None) -> bytes:
    """Return what OpenSSL says first to a server of this name, or to one without a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = name is not None
    context.verify_mode = ssl.CERT_NONE if name is None else ssl.CERT_REQUIRED
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


def names(*hosts: bytes, kind: int = 0) -> Extension:
    """Return the extension that names the server, with as many names as given."""
    listed = b"".join(bytes([kind]) + len(host).to_bytes(2) + host for host in hosts)
    return 0, len(listed).to_bytes(2) + listed


def body(
    *extensions: Extension, session: bytes = b"", suites: bytes = b"\x13\x01", version: bytes = b"\x03\x03"
) -> bytes:
    """Return the body of a hello."""
    written = b"".join(kind.to_bytes(2) + len(data).to_bytes(2) + data for kind, data in extensions)
    head = (
        version + bytes(32) + bytes([len(session)]) + session + len(suites).to_bytes(2) + suites + b"\x01\x00"
    )
    return head + (len(written).to_bytes(2) + written if extensions else b"")


def message(content: bytes, kind: int = 1) -> bytes:
    """Return a handshake message."""
    return bytes([kind]) + len(content).to_bytes(3) + content


def records(
    content: bytes, *, kind: int = 22, version: bytes = b"\x03\x01", sizes: Sequence[int] = ()
) -> bytes:
    """Return a message in records: one, or as many as `sizes` names and one for the rest."""
    pieces, at = [], 0
    for size in (*sizes, len(content) - sum(sizes)):
        pieces.append(content[at : at + size])
        at += size
    return b"".join(bytes([kind]) + version + len(piece).to_bytes(2) + piece for piece in pieces)


def read_hello(data: bytes) -> str | None:
    """Give a hello what it wants, from these bytes, and return the name it found, None if more would have to come."""
    hello, at = Hello(), 0
    while hello.name is None:
        piece = data[at : at + hello.wanted]
        if len(piece) < hello.wanted:
            return None
        at += len(piece)
        hello.take(piece)
    assert bytes(hello.taken) == data[:at]
    return hello.name
