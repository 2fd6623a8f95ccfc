"""Anthropic's Messages protocol, rebuilt: the conversation and the agent's own tools, and nothing the vendor would run.

Left out without a word: metadata, betas, service tiers and every field that is not known. Refused by name: tools that the
vendor runs, containers, files, MCP servers and sources it would fetch, for each of them is a network in spite of none.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.gate.pin import Pin
from sandbox.gate.refusal import flag, forbid, items, kept, malformed, mapping, name, number, refuse, text

PATHS: Final = ("/v1/messages", "/v1/messages/count_tokens")
COUNTED: Final = PATHS[:1]
DEFAULT_URL: Final = "https://api.anthropic.com"
WHERE: Final = "x-api-key"
HEADERS: Final = {"anthropic-version": "2023-06-01"}
_FORBIDDEN = ("mcp_servers", "container", "inference_geo")
_MEDIA = ("image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf", "text/plain")
_MIN_THINKING = 1024


def rebuild(path: str, given: Mapping[str, Any], pin: Pin) -> dict[str, Any]:
    """Return the request that leaves, built from the known parts of the one that came.

    Raises:
        GateRefusalError: It asks for something that must not leave, or is no such request.
    """
    forbid(given, _FORBIDDEN)
    built: dict[str, Any] = {
        "model": pin.check_model(given),
        "messages": [_message(each) for each in items(given.get("messages"), "messages")],
    }
    if given.get("system") is not None:
        built["system"] = _content(given["system"], "system", ("text",))
    if given.get("tools"):
        built["tools"] = [_tool(each) for each in items(given["tools"], "tools")]
    if given.get("tool_choice") is not None:
        built["tool_choice"] = _choice(given["tool_choice"])
    if path != PATHS[0]:
        return built | _thinking(given, pin.max_tokens)
    most = pin.bound(given.get("max_tokens"))
    built |= kept(given, {"stream": flag, "temperature": number, "top_p": number, "top_k": number})
    if given.get("stop_sequences"):
        built["stop_sequences"] = [
            name(each, "a stop sequence") for each in items(given["stop_sequences"], "stop")
        ]
    return built | {"max_tokens": most} | _thinking(given, most)


def _message(value: object) -> dict[str, Any]:
    given = mapping(value, "a message")
    role = given.get("role")
    if role not in ("user", "assistant", "system"):
        malformed("a message is nobody's")
    blocks = ("text",) if role == "system" else tuple(_BLOCKS)
    return {"role": role, "content": _content(given.get("content"), "a message", blocks)}


def _content(value: object, what: str, allowed: tuple[str, ...]) -> str | list[dict[str, Any]]:
    if isinstance(value, str):
        return text(value, what)
    return [_block(each, what, allowed) for each in items(value, what)]


def _block(value: object, what: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    given = mapping(value, f"a block of {what}")
    kind = given.get("type")
    if kind not in allowed or not isinstance(kind, str):
        refuse(f"a block of {what} is of the kind {str(kind)[:40]!r}, which does not leave the wall")
    built = {"type": kind} | _BLOCKS[kind](given)
    if given.get("cache_control") is not None:
        built["cache_control"] = {"type": "ephemeral"}
    return built


def _text_block(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": text(given.get("text"), "a text")}


def _sourced(given: Mapping[str, Any]) -> dict[str, Any]:
    """Rebuild an image or a document: its bytes stand in the request, or it does not leave."""
    source = mapping(given.get("source"), "a source")
    kind = source.get("type")
    if kind not in ("base64", "text"):
        refuse(f"a source of the kind {str(kind)[:40]!r} makes the vendor fetch or read elsewhere")
    if source.get("media_type") not in _MEDIA:
        malformed("a source is of no known kind of file")
    data = text(source.get("data"), "a source", 16_000_000)
    built: dict[str, Any] = {"source": {"type": kind, "media_type": source["media_type"], "data": data}}
    return built | kept(given, {"title": name} if given.get("type") == "document" else {})


def _thought(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "thinking": text(given.get("thinking"), "thinking"),
        "signature": text(given.get("signature"), "a signature"),
    }


def _hidden_thought(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": text(given.get("data"), "thinking")}


def _called(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": name(given.get("id"), "a call"),
        "name": name(given.get("name"), "a tool"),
        "input": mapping(given.get("input"), "an input"),
    }


def _returned(given: Mapping[str, Any]) -> dict[str, Any]:
    built: dict[str, Any] = {"tool_use_id": name(given.get("tool_use_id"), "a call")}
    if given.get("content") is not None:
        built["content"] = _content(given["content"], "a tool's result", ("text", "image", "document"))
    return built | kept(given, {"is_error": flag})


_BLOCKS: Final = {
    "text": _text_block,
    "image": _sourced,
    "document": _sourced,
    "thinking": _thought,
    "redacted_thinking": _hidden_thought,
    "tool_use": _called,
    "tool_result": _returned,
}


def _tool(value: object) -> dict[str, Any]:
    given = mapping(value, "a tool")
    if given.get("type") not in (None, "custom"):
        refuse(
            f"the tool {str(given['type'])[:40]!r} is run or defined by the vendor; only an agent's own leave"
        )
    built: dict[str, Any] = {
        "name": name(given.get("name"), "a tool"),
        "input_schema": mapping(given.get("input_schema"), "a tool's schema"),
    }
    built |= kept(given, {"description": text})
    if given.get("cache_control") is not None:
        built["cache_control"] = {"type": "ephemeral"}
    return built


def _choice(value: object) -> dict[str, Any]:
    given = mapping(value, "tool_choice")
    if given.get("type") not in ("auto", "any", "tool", "none"):
        malformed("tool_choice chooses nothing")
    built: dict[str, Any] = {"type": given["type"]}
    return built | kept(given, {"name": name, "disable_parallel_tool_use": flag})


def _thinking(given: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Keep the wish to think, within the answer's own bound; with too little room there is none."""
    if given.get("thinking") is None:
        return {}
    wish = mapping(given["thinking"], "thinking")
    if wish.get("type") in ("disabled", "adaptive"):
        return {"thinking": {"type": wish["type"]}}
    if wish.get("type") != "enabled":
        malformed("thinking is of no known kind")
    asked = number(wish.get("budget_tokens"), "budget_tokens")
    room = min(int(asked), most - 1)
    return {"thinking": {"type": "enabled", "budget_tokens": room}} if room >= _MIN_THINKING else {}
