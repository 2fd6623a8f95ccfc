"""OpenAI's Responses protocol, rebuilt: the conversation and the agent's own functions, and nothing that lies elsewhere.

This protocol can keep a conversation at the vendor, name parts of it, and run tools there; each of these is refused by name.
What is asked is never stored: the whole conversation comes with each request, and what the vendor thought comes back sealed.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.gate.pin import Pin
from sandbox.gate.refusal import flag, forbid, items, kept, malformed, mapping, name, number, refuse, text

PATH: Final = "/v1/responses"
_FORBIDDEN = ("previous_response_id", "conversation", "prompt", "background", "context_management")
_ROLES = ("system", "developer", "user", "assistant")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_SUMMARIES = ("auto", "concise", "detailed")
_VERBOSITIES = ("low", "medium", "high")
_SEALED = "reasoning.encrypted_content"


def rebuild(given: Mapping[str, Any], pin: Pin) -> dict[str, Any]:
    """Return the request that leaves, built from the known parts of the one that came.

    Raises:
        GateRefusalError: It asks for something that must not leave, or is no such request.
    """
    forbid(given, _FORBIDDEN)
    built: dict[str, Any] = {
        "model": pin.check_model(given),
        "input": _input(given.get("input")),
        "store": False,
    }
    built |= kept(given, {"instructions": text, "stream": flag, "parallel_tool_calls": flag})
    built |= kept(given, dict.fromkeys(("temperature", "top_p"), number))
    if given.get("tools"):
        built["tools"] = [_tool(each) for each in items(given["tools"], "tools")]
    if given.get("tool_choice") is not None:
        built["tool_choice"] = _choice(given["tool_choice"])
    if given.get("reasoning") is not None:
        built["reasoning"] = _chosen(given["reasoning"], {"effort": _EFFORTS, "summary": _SUMMARIES})
    if given.get("text") is not None:
        built["text"] = _text_wish(given["text"])
    if given.get("include") and _SEALED in items(given["include"], "include"):
        built["include"] = [_SEALED]
    return built | {"max_output_tokens": pin.bound(given.get("max_output_tokens"))}


def _input(value: object) -> str | list[dict[str, Any]]:
    if isinstance(value, str):
        return text(value, "input")
    return [_item(each) for each in items(value, "input")]


def _item(value: object) -> dict[str, Any]:
    given = mapping(value, "a part of input")
    kind = given.get("type", "message")
    build = _ITEMS.get(kind) if isinstance(kind, str) else None
    if build is None:
        refuse(f"a part of the kind {str(kind)[:40]!r} lies or acts outside of the wall")
    return {"type": kind} | build(given)


def _message(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("role") not in _ROLES:
        malformed("a message is nobody's")
    content = given.get("content")
    if isinstance(content, str):
        return {"role": given["role"], "content": text(content, "a message")}
    return {"role": given["role"], "content": [_part(each) for each in items(content, "a message")]}


def _part(value: object) -> dict[str, Any]:
    given = mapping(value, "a part of a message")
    kind = given.get("type")
    if kind in ("input_text", "output_text"):
        return {"type": kind, "text": text(given.get("text"), "a text")}
    if kind == "refusal":
        return {"type": kind, "refusal": text(given.get("refusal"), "a refusal")}
    if kind != "input_image":
        refuse(f"a part of the kind {str(kind)[:40]!r} does not leave the wall")
    url = text(given.get("image_url"), "an image", 16_000_000)
    if not url.startswith("data:image/"):
        refuse("an image by its address makes the vendor fetch it")
    return {"type": kind, "image_url": url}


def _called(given: Mapping[str, Any]) -> dict[str, Any]:
    built = {"call_id": name(given.get("call_id"), "a call"), "name": name(given.get("name"), "a tool")}
    what = "arguments" if given["type"] == "function_call" else "input"
    return built | {what: text(given.get(what), "a call's input")} | kept(given, {"namespace": name})


def _returned(given: Mapping[str, Any]) -> dict[str, Any]:
    output = given.get("output")
    said = text(output, "an output") if isinstance(output, str) else None
    parts = None if said is not None else [_part(each) for each in items(output, "an output")]
    return {"call_id": name(given.get("call_id"), "a call"), "output": parts if said is None else said}


def _thought(given: Mapping[str, Any]) -> dict[str, Any]:
    built: dict[str, Any] = {
        "summary": [_summary(each) for each in items(given.get("summary", []), "a summary")]
    }
    return built | kept(given, {"id": name, "encrypted_content": text})


def _summary(value: object) -> dict[str, Any]:
    given = mapping(value, "a summary")
    if given.get("type") != "summary_text":
        malformed("a summary is no text")
    return {"type": "summary_text", "text": text(given.get("text"), "a summary")}


_ITEMS: Final = {
    "message": _message,
    "function_call": _called,
    "custom_tool_call": _called,
    "function_call_output": _returned,
    "custom_tool_call_output": _returned,
    "reasoning": _thought,
}


def _tool(value: object, *, inside: bool = False) -> dict[str, Any]:
    given = mapping(value, "a tool")
    kind = given.get("type")
    built: dict[str, Any] = {"type": kind}
    if kind == "function":
        built["name"] = name(given.get("name"), "a tool")
        return built | kept(given, {"description": text, "parameters": mapping, "strict": flag})
    if kind == "custom":
        built["name"] = name(given.get("name"), "a tool")
        return built | kept(given, {"description": text}) | _grammar(given.get("format"))
    if kind != "namespace" or inside:
        refuse(f"the tool {str(kind)[:40]!r} is run or defined by the vendor; only an agent's own leave")
    built["name"] = name(given.get("name"), "a tool")
    own = [_tool(each, inside=True) for each in items(given.get("tools"), "tools")]
    return built | kept(given, {"description": text}) | {"tools": own}


def _grammar(value: object) -> dict[str, Any]:
    """Rebuild the form of a custom tool's input."""
    if value is None:
        return {}
    given = mapping(value, "a format")
    if given.get("type") == "text":
        return {"format": {"type": "text"}}
    if given.get("type") != "grammar" or given.get("syntax") not in ("lark", "regex"):
        malformed("a format is of no known kind")
    written = text(given.get("definition"), "a grammar")
    return {"format": {"type": "grammar", "syntax": given["syntax"], "definition": written}}


def _choice(value: object) -> str | dict[str, Any]:
    if isinstance(value, str):
        return name(value, "tool_choice")
    given = mapping(value, "tool_choice")
    if given.get("type") not in ("function", "custom"):
        refuse("tool_choice may name an agent's own function only")
    return {"type": given["type"], "name": name(given.get("name"), "a tool")}


def _chosen(value: object, known: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Keep the fields whose value is a known word."""
    given = mapping(value, "a wish")
    return {key: given[key] for key, words in known.items() if given.get(key) in words}


def _text_wish(value: object) -> dict[str, Any]:
    built = _chosen(value, {"verbosity": _VERBOSITIES})
    wish = mapping(value, "text").get("format")
    if wish is None:
        return built
    given = mapping(wish, "a format")
    kind = given.get("type")
    if kind in ("text", "json_object"):
        return built | {"format": {"type": kind}}
    if kind != "json_schema":
        malformed("a format is of no known kind")
    schema = {"type": kind, "name": name(given.get("name"), "a schema")}
    return built | {"format": schema | kept(given, {"schema": mapping, "strict": flag})}
