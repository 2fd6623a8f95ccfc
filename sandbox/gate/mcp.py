"""What may be said to a tool server from inside, and what is answered: the Model Context Protocol, four requests of it.

No request is passed on. It is read, and of a call only the tool's name and what it is given are used; the greeting and the
list of tools are written here, from what is known of the server. A notification changes nothing. What else the protocol has
(resources, prompts, sampling, subscriptions) is not there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.gate.refusal import NAME_CHARS, malformed, mapping, name, read
from sandbox.tools.foreign import ForeignTool

PROTOCOL: Final = "2025-06-18"
PROTOCOLS: Final = frozenset({"2025-03-26", PROTOCOL, "2025-11-25"})
METHOD_NOT_FOUND: Final = -32601
BUSY: Final = -32000

Number = int | str


@dataclass(frozen=True, slots=True)
class Message:
    """One request; without a `number` it is a notification, which has no answer."""

    method: str
    params: Mapping[str, Any]
    number: Number | None = None


def read_message(body: bytes) -> Message:
    """Read a body as one message.

    Raises:
        GateRefusalError: `gate_malformed`.
    """
    value = read(body)
    if value.get("jsonrpc") != "2.0":
        malformed("the body is no message of JSON-RPC 2.0")
    method = name(value.get("method"), "the method")
    params = _object(value, "params")
    if "id" not in value:
        return Message(method, params)
    return Message(method, params, read_number(value["id"], "the id"))


def read_number(value: object, what: str) -> Number:
    """Read what names a request or its progress."""
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > NAME_CHARS:
        malformed(f"{what} is neither a number nor a short text")
    return value


def _object(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Read an object that may be left out."""
    return mapping(given.get(key, {}), key)


def read_call(params: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Number | None]:
    """Read a call: the tool's own name, what it is given, and what its progress is told by, if it wants to be told.

    Raises:
        GateRefusalError: `gate_malformed`.
    """
    meta = _object(params, "_meta")
    token = meta.get("progressToken")
    return (
        name(params.get("name"), "the tool"),
        _object(params, "arguments"),
        None if token is None else read_number(token, "the token of progress"),
    )


def answer(message: Message, server: str, tools: Iterable[ForeignTool]) -> dict[str, object]:
    """Answer a request that is no call, for a server of this name with these tools."""
    match message.method:
        case "initialize":
            wanted = message.params.get("protocolVersion")
            return _result(
                message.number,
                {
                    "protocolVersion": wanted
                    if isinstance(wanted, str) and wanted in PROTOCOLS
                    else PROTOCOL,
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": server, "version": "1"},
                },
            )
        case "ping":
            return _result(message.number, {})
        case "tools/list":
            return _result(message.number, {"tools": [_tool(each) for each in tools]})
        case _:
            return failure(message.number, METHOD_NOT_FOUND, "this method is not served here")


def outcome(number: Number | None, text: str, *, ok: bool) -> dict[str, object]:
    """Say what came of a call; one that failed is a result that says so, as the protocol wants it."""
    return _result(number, {"content": [{"type": "text", "text": text}], "isError": not ok})


def failure(number: Number | None, code: int, words: str) -> dict[str, object]:
    """Say that a request is not served."""
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": words}}


def progress(token: Number, count: int) -> dict[str, object]:
    """Say that a call still goes on: some programs wait for a minute and no longer, unless they are told."""
    told = {"progressToken": token, "progress": count, "message": "waiting"}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": told}


def event(message: Mapping[str, object]) -> bytes:
    """Write a message as an event of a stream."""
    return b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n"


def _result(number: Number | None, result: dict[str, object]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _tool(tool: ForeignTool) -> dict[str, object]:
    return {"name": tool.name, "description": tool.description, "inputSchema": dict(tool.schema)}
