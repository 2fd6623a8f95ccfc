"""Server-sent events out of a byte stream (WHATWG HTML, section 9.2), bounded: what a model endpoint streams."""

import json
from collections.abc import AsyncIterator, Mapping

from sandbox.agents.model.conversation import ModelError

EVENT_BYTES = 1024 * 1024
ANSWER_BYTES = 16 * 1024 * 1024
DONE = "[DONE]"


async def events(pieces: AsyncIterator[bytes]) -> AsyncIterator[Mapping[str, object]]:
    """Yield the data of each event as a JSON object, until the stream or a `[DONE]` ends it.

    Raises:
        ModelError: `model_garbled` for data that is no JSON object, and for a stream beyond all bounds.
    """
    async for text in _data(pieces):
        if text == DONE:
            return
        yield _object(text)


def _object(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            "model_garbled", "the model's endpoint streamed something that is no JSON"
        ) from error
    if not isinstance(value, dict):
        raise ModelError("model_garbled", "the model's endpoint streamed something that is no JSON object")
    return value


async def _data(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the joined data lines of each event; other fields carry nothing that is needed."""
    data: list[str] = []
    async for line in _lines(pieces):
        if not line:
            if data:
                yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    if data:
        yield "\n".join(data)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest, total = b"", 0
    async for piece in pieces:
        total += len(piece)
        rest += piece
        *lines, rest = rest.split(b"\n")
        if total > ANSWER_BYTES or len(rest) > EVENT_BYTES:
            raise ModelError("model_garbled", "the model's endpoint streams without end")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
