"""The decoders of tool servers: what their owner wrote down, and what such a program says, which comes from anybody."""

import json
from collections.abc import Iterator
from typing import Any

from dispatch_daemon.adapters.servers import ServerError, speech
from dispatch_protocol.encoding import Fields, dumps, loads
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.tool_server import ToolServer, read_servers, write_servers
from tests.support.decoders.decoder import LONGEST, Decoder, canonical
from tests.support.decoders.documents import name_of


def tool_server_decoders() -> Iterator[Decoder]:
    """Return the decoders of the list of servers and of what one says."""
    entry = ToolServer("files", ("/usr/bin/files",), {"PLACE": "/srv"}, {"KEY": "env:FILES_KEY"})
    yield Decoder(
        name_of(read_servers),
        read_servers,
        lambda: [write_servers([entry]), b'{"servers":[]}', b"[]"],
        write=write_servers,
    )
    yield Decoder(
        name_of(ToolServer.read),
        lambda data: ToolServer.read(Fields(loads(data, max_bytes=LONGEST), "server")),
        lambda: [dumps(entry.write()), b"{}"],
        write=lambda server: dumps(server.write()),
        spelling=canonical,
    )
    yield Decoder(
        name_of(speech.read_message),
        speech.read_message,
        lambda: [b'{"jsonrpc":"2.0","id":1,"result":{}}', b'{"jsonrpc":"2.0"}\n', b"[NaN]", b"{" * 99],
        errors=(ServerError,),
    )
    yield Decoder(
        name_of(speech.read_greeting),
        lambda data: speech.read_greeting(_result(data)),
        lambda: [b'{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}}', b'{"protocolVersion":[]}'],
        errors=(ServerError, MalformedError),
    )
    yield Decoder(
        name_of(speech.read_page),
        lambda data: speech.read_page("files", _result(data)),
        lambda: [
            b'{"tools":[{"name":"a","description":"b","inputSchema":{"type":"object"}}],"nextCursor":"c"}',
            b'{"tools":[{"name":"a b"},{"name":""},{}]}',
        ],
        errors=(ServerError, MalformedError),
    )
    yield Decoder(
        name_of(speech.read_outcome),
        lambda data: speech.read_outcome(_result(data)),
        lambda: [
            b'{"content":[{"type":"text","text":"a\\ud800"},{"type":"image"}],"isError":true}',
            b'{"content":[],"structuredContent":{"a":1}}',
            b'{"content":[{"type":"resource","resource":{"uri":"file:///x"}}]}',
        ],
        errors=(ServerError, MalformedError),
    )


def _result(data: bytes) -> Any:
    """Return what a server answers, as it comes: an object of any shape."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise MalformedError("no JSON") from None
    if not isinstance(value, dict):
        raise MalformedError("no object")
    return value
