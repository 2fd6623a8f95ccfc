"""Anthropic's Messages protocol: a conversation becomes a request, a stream of events becomes a reply.

The request is built from an allowlist and from nothing that a run wrote into it: own tools only, no server-side
tool, no URL that the vendor would fetch, no beta header.
"""

import json
from collections.abc import AsyncIterator, Mapping

from sandbox.agents.model import schemas
from sandbox.agents.model.conversation import Asked, Call, Conversation, ModelError, Reply, Tokens, Turn

PATH = "/v1/messages"
VERSION = "2023-06-01"
DEFAULT_URL = "https://api.anthropic.com"


def headers(key: str | None) -> dict[str, str]:
    """Return the headers of a request; an endpoint of one's own may need no key."""
    return {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})


def request(model: str, conversation: Conversation, max_tokens: int) -> dict[str, object]:
    """Return the body of the request for the next turn."""
    body: dict[str, object] = {
        "model": model,
        "max_tokens": max_tokens,
        "stream": True,
        "system": conversation.system,
        "messages": [_message(turn) for turn in conversation.turns],
    }
    tools = [
        {"name": name, "description": description, "input_schema": schema}
        for name, description, schema in schemas.told(conversation)
    ]
    return body | ({"tools": tools} if tools else {})


def _message(turn: Turn) -> dict[str, object]:
    match turn:
        case Asked(text):
            return {"role": "user", "content": [{"type": "text", "text": text}]}
        case Reply():
            return {"role": "assistant", "content": _spoken(turn)}
    blocks = [
        {
            "type": "tool_result",
            "tool_use_id": returned.call_id,
            "content": returned.output or "(no output)",
            "is_error": not returned.ok,
        }
        for returned in turn
    ]
    return {"role": "user", "content": blocks}


def _spoken(reply: Reply) -> list[object]:
    blocks: list[object] = [dict(block) for block in reply.thinking]
    if reply.text.strip():
        blocks.append({"type": "text", "text": reply.text})
    blocks += [
        {"type": "tool_use", "id": call.call_id, "name": call.tool, "input": dict(call.input or {})}
        for call in reply.calls
    ]
    return blocks or [{"type": "text", "text": "(nothing)"}]


async def reply(events: AsyncIterator[Mapping[str, object]]) -> Reply:
    """Put a stream of events together.

    Raises:
        ModelError: what the endpoint said went wrong, or `model_garbled` for a stream that ends in the middle.
    """
    blocks: dict[int, dict[str, str]] = {}
    tokens, stop, ended = Tokens(), "", False
    async for event in events:
        match event.get("type"):
            case "message_start":
                tokens += _tokens(_mapping(_mapping(event.get("message")).get("usage")))
            case "content_block_start":
                blocks[_index(event)] = _begun(_mapping(event.get("content_block")))
            case "content_block_delta":
                _extend(blocks.get(_index(event)), _mapping(event.get("delta")))
            case "message_delta":
                stop = str(_mapping(event.get("delta")).get("stop_reason") or stop)
                counted = _count(_mapping(event.get("usage")).get("output_tokens"))
                tokens = Tokens(tokens.input, counted)  # so far, and not since the last event
            case "message_stop":
                ended = True
            case "error":
                raise _failed(_mapping(event.get("error")))
    if not ended:
        raise ModelError("model_garbled", "the model's answer broke off in the middle", again=True)
    parts = [blocks[index] for index in sorted(blocks)]
    return Reply(
        text="".join(part["text"] for part in parts if part["type"] == "text"),
        reasoning="".join(part["text"] for part in parts if part["type"] == "thinking"),
        calls=tuple(_call(part) for part in parts if part["type"] == "tool_use"),
        tokens=tokens,
        cut=stop == "max_tokens",
        refused=stop == "refusal",
        thinking=tuple(_thought(part) for part in parts if part["type"] == "thinking"),
    )


def _begun(block: Mapping[str, object]) -> dict[str, str]:
    return {
        "type": str(block.get("type")),
        "text": str(block.get("text") or block.get("thinking") or ""),
        "id": str(block.get("id") or ""),
        "name": str(block.get("name") or ""),
        "signature": str(block.get("signature") or ""),
        "json": "",
    }


def _extend(block: dict[str, str] | None, delta: Mapping[str, object]) -> None:
    if block is None:
        raise ModelError("model_garbled", "the model's answer goes on with a block that never began")
    for theirs, ours in (
        ("text", "text"),
        ("thinking", "text"),
        ("partial_json", "json"),
        ("signature", "signature"),
    ):
        value = delta.get(theirs)
        if isinstance(value, str):
            block[ours] += value


def _call(block: Mapping[str, str]) -> Call:
    try:
        given = json.loads(block["json"] or "{}")
    except (ValueError, RecursionError):
        given = None
    return Call(block["id"], block["name"], given if isinstance(given, dict) else None)


def _thought(block: Mapping[str, str]) -> Mapping[str, object]:
    return {"type": "thinking", "thinking": block["text"], "signature": block["signature"]}


def _tokens(usage: Mapping[str, object]) -> Tokens:
    kinds = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return Tokens(input=sum(_count(usage.get(kind)) for kind in kinds))


def _failed(error: Mapping[str, object]) -> ModelError:
    kind = str(error.get("type"))
    return ModelError(
        "model_refused",
        f"the model's endpoint said {kind}: {str(error.get('message'))[:300]}",
        again=kind in {"overloaded_error", "rate_limit_error", "api_error"},
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _index(event: Mapping[str, object]) -> int:
    return _count(event.get("index"))
