"""OpenAI's Chat Completions protocol, rebuilt: the conversation and the agent's own functions, and nothing else.

Its younger one, Responses, stands in `responses`; an endpoint may serve either, and an agent asks as it knows how.

Left out: whatever is stored, billed or routed otherwise, and every field that is not known. Refused by name: searches and
tools that a vendor runs, and files or pictures that it would fetch.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.gate import responses
from sandbox.gate.pin import Pin
from sandbox.gate.refusal import flag, forbid, items, kept, malformed, mapping, name, number, refuse, text

PATHS: Final = ("/v1/chat/completions", responses.PATH)
COUNTED: Final = PATHS
DEFAULT_URL: Final = "https://api.openai.com"
WHERE: Final = "authorization"
HEADERS: Final[Mapping[str, str]] = {}
_FORBIDDEN = (
    "web_search_options",
    "web_search",
    "plugins",
    "mcp_servers",
    "audio",
    "functions",
    "prediction",
)
_ROLES = ("system", "developer", "user", "assistant", "tool")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


def rebuild(path: str, given: Mapping[str, Any], pin: Pin) -> dict[str, Any]:
    """Return the request that leaves, built from the known parts of the one that came.

    Raises:
        GateRefusalError: It asks for something that must not leave, or is no such request.
    """
    if path == responses.PATH:
        return responses.rebuild(given, pin)
    forbid(given, _FORBIDDEN)
    built: dict[str, Any] = {
        "model": pin.check_model(given),
        "messages": [_message(each) for each in items(given.get("messages"), "messages")],
    }
    if given.get("tools"):
        built["tools"] = [_tool(each) for each in items(given["tools"], "tools")]
    if given.get("tool_choice") is not None:
        built["tool_choice"] = _choice(given["tool_choice"])
    numbers = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
    built |= kept(given, {"stream": flag, "parallel_tool_calls": flag} | dict.fromkeys(numbers, number))
    if given.get("reasoning_effort") in _EFFORTS:
        built["reasoning_effort"] = given["reasoning_effort"]
    if given.get("stop"):
        stops = [given["stop"]] if isinstance(given["stop"], str) else items(given["stop"], "stop")
        built["stop"] = [name(each, "a stop sequence") for each in stops]
    if given.get("response_format") is not None:
        built["response_format"] = _format(given["response_format"])
    bound = "max_completion_tokens" if given.get("max_tokens") is None else "max_tokens"
    built[bound] = pin.bound(given.get(bound))
    if built.get("stream"):
        built["stream_options"] = {"include_usage": True}
    return built


def _message(value: object) -> dict[str, Any]:
    given = mapping(value, "a message")
    if given.get("role") not in _ROLES:
        malformed("a message is nobody's")
    built: dict[str, Any] = {"role": given["role"]}
    if given.get("content") is not None:
        built["content"] = _content(given["content"])
    if given.get("tool_calls"):
        built["tool_calls"] = [_called(each) for each in items(given["tool_calls"], "tool_calls")]
    readers = {"tool_call_id": name, "name": name, "refusal": text, "reasoning_content": text}
    return built | kept(given, readers)


def _content(value: object) -> str | list[dict[str, Any]]:
    if isinstance(value, str):
        return text(value, "a message")
    return [_part(each) for each in items(value, "a message")]


def _part(value: object) -> dict[str, Any]:
    given = mapping(value, "a part of a message")
    kind = given.get("type")
    if kind in ("text", "refusal"):
        return {"type": kind, kind: text(given.get(kind), "a part of a message")}
    if kind != "image_url":
        refuse(f"a part of the kind {str(kind)[:40]!r} does not leave the wall")
    url = text(mapping(given.get("image_url"), "an image").get("url"), "an image", 16_000_000)
    if not url.startswith("data:image/"):
        refuse("an image by its address makes the vendor fetch it")
    return {"type": kind, "image_url": {"url": url}}


def _called(value: object) -> dict[str, Any]:
    given = mapping(value, "a call")
    if given.get("type") not in (None, "function"):
        refuse("only calls of an agent's own functions leave the wall")
    function = mapping(given.get("function"), "a call")
    return {
        "id": name(given.get("id"), "a call"),
        "type": "function",
        "function": {
            "name": name(function.get("name"), "a tool"),
            "arguments": text(function.get("arguments"), "a call's arguments"),
        },
    }


def _tool(value: object) -> dict[str, Any]:
    given = mapping(value, "a tool")
    if given.get("type") != "function":
        refuse(f"the tool {str(given.get('type'))[:40]!r} is run by the vendor; only an agent's own leave")
    function = mapping(given.get("function"), "a tool")
    built: dict[str, Any] = {"name": name(function.get("name"), "a tool")}
    built |= kept(function, {"description": text, "parameters": mapping, "strict": flag})
    return {"type": "function", "function": built}


def _choice(value: object) -> str | dict[str, Any]:
    if isinstance(value, str):
        return name(value, "tool_choice")
    given = mapping(value, "tool_choice")
    if given.get("type") != "function":
        refuse("tool_choice may name an agent's own function only")
    return {
        "type": "function",
        "function": {"name": name(mapping(given.get("function"), "tool_choice").get("name"), "a tool")},
    }


def _format(value: object) -> dict[str, Any]:
    given = mapping(value, "response_format")
    kind = given.get("type")
    if kind in ("text", "json_object"):
        return {"type": kind}
    if kind != "json_schema":
        malformed("response_format is of no known kind")
    schema = mapping(given.get("json_schema"), "a schema")
    built: dict[str, Any] = {"name": name(schema.get("name"), "a schema")}
    return {"type": kind, "json_schema": built | kept(schema, {"schema": mapping, "strict": flag})}
