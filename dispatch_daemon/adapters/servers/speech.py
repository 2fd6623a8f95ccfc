"""What is said to a tool server and what it may say: MCP's three requests as JSON-RPC, one message a line, read strictly.

Whatever comes from a server comes from outside. It may have been written by anybody whose words the server carries, so each
message is read as the words of somebody hostile: bounded, without doubled keys, and of exactly the shape that was asked for.
Pictures and resources are named and never followed. What a server asks of this side (sampling, elicitation, roots) is refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from dispatch_daemon.adapters.servers.errors import ServerError
from dispatch_protocol.tool_server import PREFIX

PROTOCOL: Final = "2025-06-18"
PROTOCOLS: Final = frozenset({"2024-11-05", "2025-03-26", PROTOCOL, "2025-11-25"})
METHOD_NOT_FOUND: Final = -32601
TOOLS: Final = 256
PAGES: Final = 20
OUTPUT_BYTES: Final = 1024 * 1024
PARTS: Final = 1000
DESCRIPTION_CHARS: Final = 2000
SCHEMA_BYTES: Final = 16 * 1024
SCHEMAS_BYTES: Final = 256 * 1024
INSTEAD: Final = {"type": "object"}  # where a server gives no schema
# What stands in a call everywhere: in signed steps, and at the vendors of models.
_OFFERED: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as its server describes it; `name` is the whole one, `mcp__SERVER__TOOL`."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: text, and whether the server calls it a success."""

    ok: bool
    text: str
    truncated: bool = False


def request(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    """Write a request."""
    return _line({"id": number, "method": method, "params": dict(params)})


def notice(method: str, params: Mapping[str, Any]) -> bytes:
    """Write a notification."""
    return _line({"method": method, "params": dict(params)})


def reply(number: object, method: str) -> bytes:
    """Write the answer to what a server asks: whether somebody is there, and nothing else."""
    if method == "ping":
        return _line({"id": number, "result": {}})
    error = {"code": METHOD_NOT_FOUND, "message": f"{clean(method, 100)} is not granted to a server here"}
    return _line({"id": number, "error": error})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n"


def read_message(line: bytes) -> Mapping[str, Any]:
    """Read one line as one message.

    Raises:
        ServerError: `server_garbled`.
    """
    try:
        value = json.loads(line.decode(), object_pairs_hook=_distinct, parse_constant=_no_number)
    except (ValueError, RecursionError):
        garbled(
            f"it said {clean(line[:400].decode('utf-8', 'replace'), 100) or 'nothing'!r}, which is no message"
        )
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        garbled("it said something that is no message")
    return value


def result_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result that a message carries.

    Raises:
        ServerError: `server_refused` where it carries an error, `server_garbled` where it carries neither.
    """
    error = message.get("error")
    if isinstance(error, dict):
        raise ServerError("server_refused", clean(str(error.get("message")), 500) or "it gives no reason")
    result = message.get("result")
    if not isinstance(result, dict):
        garbled("its answer holds nothing")
    return result


def read_greeting(result: Mapping[str, Any]) -> None:
    """Check what a server says of itself: one of the protocol's versions that are known here, and that it has tools.

    Raises:
        ServerError: `server_garbled`.
    """
    version = result.get("protocolVersion")
    if not isinstance(version, str) or version not in PROTOCOLS:
        garbled("it speaks a version of the protocol that is not known here")
    capabilities = result.get("capabilities")
    if not isinstance(capabilities, dict) or not isinstance(capabilities.get("tools"), dict):
        garbled("it offers no tools")


def read_page(server: str, result: Mapping[str, Any]) -> tuple[list[Offer], list[str], str | None]:
    """Read one page of a server's tools: those that can be offered, the names of those that cannot, where it goes on.

    Raises:
        ServerError: `server_garbled`.
    """
    listed, cursor = result.get("tools"), result.get("nextCursor")
    if not isinstance(listed, list) or len(listed) > TOOLS:
        garbled(f"its list of tools is none, or longer than {TOOLS}")
    if cursor is not None and (not isinstance(cursor, str) or len(cursor) > 4096):
        garbled("its list of tools goes on nowhere")
    offers: list[Offer] = []
    left_out: list[str] = []
    for entry in listed:
        offer = _offer(server, entry)
        if isinstance(offer, str):
            left_out.append(offer)
        else:
            offers.append(offer)
    return offers, left_out, cursor


def _offer(server: str, entry: object) -> Offer | str:
    """Return a tool, or its name where no call could name it or nobody could be told how it is called."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        garbled("one of its tools has no name")
    name = f"{PREFIX}{server}__{entry['name']}"
    schema = entry.get("inputSchema", INSTEAD)
    usable = isinstance(schema, dict) and schema.get("type") == "object"
    if not entry["name"] or _OFFERED.fullmatch(name) is None or not usable or _size(schema) > SCHEMA_BYTES:
        return clean(entry["name"], 64) or "one without a name"
    said = entry.get("description")
    return Offer(name, clean(said, DESCRIPTION_CHARS, lines=True) if isinstance(said, str) else "", schema)


def _size(schema: object) -> int:
    return len(json.dumps(schema))


def read_outcome(result: Mapping[str, Any]) -> Outcome:
    """Read what came of a call.

    Raises:
        ServerError: `server_garbled`.
    """
    parts, failed = result.get("content"), result.get("isError", False)
    if not isinstance(parts, list) or len(parts) > PARTS or not isinstance(failed, bool):
        garbled("its answer to a call is none")
    texts = [_text(part) for part in parts]
    if not texts and result.get("structuredContent") is not None:
        texts = [json.dumps(result["structuredContent"], ensure_ascii=False)]
    whole = "\n".join(texts).encode("utf-8", "replace")
    return Outcome(
        ok=not failed,
        text=whole[:OUTPUT_BYTES].decode("utf-8", "ignore"),
        truncated=len(whole) > OUTPUT_BYTES,
    )


def _text(part: object) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        garbled("a part of its answer has no kind")
    kind = part["type"]
    if kind == "text":
        if not isinstance(part.get("text"), str):
            garbled("a text of its answer is none")
        return str(part["text"])
    inner = part.get("resource")
    named = inner if isinstance(inner, dict) else part
    about = [named.get(field) for field in ("uri", "name", "mimeType")]
    said = " ".join(clean(each, 300) for each in about if isinstance(each, str))
    return f"[{clean(kind, 40)}, not looked at{': ' if said else ''}{said}]"


def clean(text: str, most: int, *, lines: bool = False) -> str:
    """Return the beginning of foreign words with nothing a terminal would obey; on one line, unless `lines` may stay."""
    seen = "".join(
        char if char.isprintable() or (lines and char == "\n") else " " for char in text[: most * 4]
    )
    kept = seen.strip() if lines else " ".join(seen.split())
    return kept[:most]


def garbled(why: str) -> NoReturn:
    """Say that a server does not speak as its protocol says."""
    raise ServerError("server_garbled", f"it does not speak its protocol: {why}")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
