"""OpenAI's Chat Completions protocol, as vLLM, llama.cpp, Ollama and most clouds speak it too.

The same two functions as for Anthropic: a conversation becomes a request, a stream of events becomes a reply.
"""

import json
from collections.abc import AsyncIterator, Mapping

from sandbox.agents.model import schemas
from sandbox.agents.model.conversation import Asked, Call, Conversation, ModelError, Reply, Tokens, Turn

PATH = "/v1/chat/completions"
DEFAULT_URL = "https://api.openai.com"
_CALLS = 64  # in one turn; no model means more


def headers(key: str | None) -> dict[str, str]:
    """Return the headers of a request; an endpoint of one's own may need no key."""
    return {"authorization": f"Bearer {key}"} if key else {}


def request(model: str, conversation: Conversation, max_tokens: int) -> dict[str, object]:
    """Return the body of the request for the next turn."""
    messages: list[dict[str, object]] = [{"role": "system", "content": conversation.system}]
    for turn in conversation.turns:
        messages += _messages(turn)
    body: dict[str, object] = {
        "model": model,
        "max_completion_tokens": max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": messages,
    }
    tools = [
        {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}
        for name, description, schema in schemas.told(conversation)
    ]
    return body | ({"tools": tools} if tools else {})


def _messages(turn: Turn) -> list[dict[str, object]]:
    match turn:
        case Asked(text):
            return [{"role": "user", "content": text}]
        case Reply():
            return [_spoken(turn)]
    return [
        {
            "role": "tool",
            "tool_call_id": returned.call_id,
            "content": (returned.output or "(no output)") if returned.ok else f"Error: {returned.output}",
        }
        for returned in turn
    ]


def _spoken(reply: Reply) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.tool, "arguments": json.dumps(dict(call.input or {}))},
            }
            for call in reply.calls
        ]
    elif not reply.text:
        message["content"] = "(nothing)"
    return message


async def reply(events: AsyncIterator[Mapping[str, object]]) -> Reply:
    """Put a stream of events together.

    Raises:
        ModelError: what the endpoint said went wrong, or `model_garbled` for a stream that ends in the middle.
    """
    text, reasoning, refusal, stop, tokens = "", "", "", "", Tokens()
    calls: dict[int, dict[str, str]] = {}
    async for event in events:
        error = event.get("error")
        if error:
            raise ModelError("model_refused", f"the model's endpoint said: {_said(error)}")
        usage = _mapping(event.get("usage"))
        tokens = (
            Tokens(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
            if usage
            else tokens
        )
        for choice in _items(event.get("choices"))[:1]:
            delta = _mapping(choice.get("delta"))
            text += _text(delta.get("content"))
            reasoning += _text(delta.get("reasoning_content") or delta.get("reasoning"))
            refusal += _text(delta.get("refusal"))
            for part in _items(delta.get("tool_calls")):
                _extend(calls, part)
            stop = _text(choice.get("finish_reason")) or stop
    if not stop:
        raise ModelError("model_garbled", "the model's answer broke off in the middle", again=True)
    return Reply(
        text=text or refusal,
        reasoning=reasoning,
        calls=tuple(_call(number, calls[number]) for number in sorted(calls)),
        tokens=tokens,
        cut=stop == "length",
        refused=stop == "content_filter" or bool(refusal),
    )


def _extend(calls: dict[int, dict[str, str]], part: Mapping[str, object]) -> None:
    number = _count(part.get("index"))
    if number >= _CALLS:
        raise ModelError("model_garbled", f"the model calls more than {_CALLS} tools at once")
    call = calls.setdefault(number, {"id": "", "name": "", "arguments": ""})
    function = _mapping(part.get("function"))
    call["id"] = call["id"] or _text(part.get("id"))
    call["name"] += _text(function.get("name"))
    call["arguments"] += _text(function.get("arguments"))


def _call(number: int, parts: Mapping[str, str]) -> Call:
    try:
        given = json.loads(parts["arguments"] or "{}")
    except (ValueError, RecursionError):
        given = None
    # Some local servers name no id; the model only has to recognise its own call.
    return Call(parts["id"] or f"call-{number}", parts["name"], given if isinstance(given, dict) else None)


def _said(error: object) -> str:
    return str(_mapping(error).get("message") or error)[:300]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
