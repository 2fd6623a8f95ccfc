"""OpenAI's Responses protocol as `model_server` plays it: what it reads of a request, and how a turn is streamed.

The turns that were played already are counted by the names that this server gave to its calls.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any


def as_messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was said as one message of the user's; programs send it in pieces."""
    given = body["input"]
    said = [{"role": "user", "content": given}] if isinstance(given, str) else given
    texts = []
    for item in said:
        if item.get("role") == "user":
            content = item["content"]
            parts = [{"text": content}] if isinstance(content, str) else content
            texts += [part.get("text", "") for part in parts]
    return [{"role": "user", "content": "\n".join(texts)}, {"role": "tool", "content": json.dumps(given)}]


def turns_played(body: Mapping[str, Any]) -> int:
    """Count the turns whose calls are in a request."""
    return max(
        (int(turn) + 1 for turn in re.findall(r'"call_(\d+)_\d+"', json.dumps(body["input"]))), default=0
    )


def responses(turn: list[Any], number: int) -> Iterator[bytes]:
    """Write one turn as OpenAI streams it."""
    response = {"id": f"resp_{number}", "object": "response", "status": "in_progress", "output": []}
    yield _event("response.created", response=response)
    cut = False
    for index, part in enumerate(turn):
        if isinstance(part, str):
            content = [{"type": "output_text", "text": part, "annotations": []}]
            item = {"type": "message", "id": f"msg_{number}_{index}", "role": "assistant", "content": content}
            empty = item | {"content": []}
        elif "tool" in part:
            written = part["raw"] if "raw" in part else json.dumps(part["input"])
            call = {"call_id": f"call_{number}_{index}", "name": part["tool"], "arguments": written}
            item = {"type": "function_call", "id": f"fc_{number}_{index}"} | call
            empty = item | {"arguments": ""}
        elif "think" in part:
            summary = [{"type": "summary_text", "text": part["think"]}]
            item = {"type": "reasoning", "id": f"rs_{number}_{index}", "summary": summary}
            empty = item | {"summary": []}
        else:
            cut = True
            continue
        yield _event("response.output_item.added", output_index=index, item=empty)
        if isinstance(part, str):
            yield _event("response.output_text.delta", output_index=index, item_id=item["id"], delta=part)
        yield _event("response.output_item.done", output_index=index, item=item)
    usage = {"input_tokens": 10, "output_tokens": 6, "total_tokens": 16}
    ended = response | {"status": "incomplete" if cut else "completed", "usage": usage}
    yield _event("response.incomplete" if cut else "response.completed", response=ended)


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data)}\n\n".encode()
