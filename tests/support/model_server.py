"""A model's endpoint that plays what the prompt asks for: Anthropic's and OpenAI's two protocols over real HTTP.

The first user message may hold a line `SCRIPT: [...]`, a JSON list of turns. A turn is a list of things: a string is
text, `{"tool": …, "input": …}` a call, `{"think": …}` reasoning, `{"raw": …}` arguments that are no JSON, and
`{"refuse": true}` or `{"cut": true}` how it stops. In an input, `"$name"` is what the last tool result calls so. Without such
a line it plays `unscripted`: it says that it is ready, unless it is tried with a call. Which turn comes next follows from how many replies the request
already holds, so the server keeps no state and a run can be taken up again. `trouble` is played first.

A host goes on while its tool servers are starting. A call of a tool that is not in the request yet is put off, as a
model would that was told so: the host is asked to wait for them, which counts for no turn.
"""

import asyncio
import json
import queue
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.responses import as_messages, responses, turns_played

WAIT = "WaitForMcpServers"
CUT_OFF = "No response requested."
_TRIED = "Call the tool Read with"
_ANY = 1_000_000


@dataclass(frozen=True)
class Trouble:
    """An answer that is no reply: a status with headers, a stream that breaks off, or a hang until the client goes."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False


@dataclass
class ModelServer:
    """What was asked, and what goes wrong before anything is answered."""

    url: str = ""
    trouble: list[Trouble] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    counts: bool = True  # whether it says how many tokens were used, where its protocol lets it keep silent
    unscripted: list[list[Any]] = field(default_factory=lambda: [["ready"]])
    lasts: int | None = (
        None  # so many requests are served; after these bytes of an answer each later one is cut off
    )
    cuts_after: bytes = b""
    over: asyncio.Event = field(default_factory=asyncio.Event)  # until then a hanging answer hangs
    holds: int | None = (
        None  # so many characters of a prompt, its last ones; it reads the first file that they name
    )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.trouble:
            trouble = self.trouble.pop(0)
            if trouble.hangs:
                await self.over.wait()
            return web.Response(status=trouble.status, headers=dict(trouble.headers), body=trouble.body)
        if self.lasts is not None and len(self.requests) > self.lasts:
            return _cut_off(request, self.cuts_after)
        if request.path == "/v1/responses":
            number, told = turns_played(body), as_messages(body)
            turns = script({"messages": told}) or self.unscripted
            turn = [_filled(part, told) for part in turns[number]]
            return await self._play(request, responses(turn, number))
        is_anthropic = request.path == "/v1/messages"
        number = len([each for each in body["messages"] if each["role"] == "assistant"])
        waited = len([each for each in body["messages"] if _is_no_turn(each)])
        tried = self.holds or _TRIED in json.dumps(body["messages"][-1])
        turns = script(body) or ([_first_file(body, self.holds or _ANY)] if tried else self.unscripted)
        turn = [_filled(part, body["messages"]) for part in turns[number - waited]]
        if _is_early(turn, body):
            turn = [{"tool": WAIT, "input": {}}]
        written = anthropic(turn, number) if is_anthropic else openai(turn, counts=self.counts)
        return await self._play(request, written)

    async def _play(self, request: web.Request, written: Iterator[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in written:
            await response.write(event)
        return response


def _cut_off(request: web.Request, says: bytes) -> web.Response:
    """Say these bytes instead of an answer, and end the connection; what is returned reaches nobody."""
    assert request.transport is not None
    request.transport.write(says)
    request.transport.close()
    return web.Response()


def script(body: Mapping[str, Any]) -> list[list[Any]] | None:
    """Return the turns that the first user message asks for; None if it asks for none."""
    (first, *_) = [message for message in body["messages"] if message["role"] == "user"]
    said = [{"text": first["content"]}] if isinstance(first["content"], str) else first["content"]
    text = "\n".join(
        part.get("text", "") for part in said
    )  # some agents put reminders of their own before it
    lines = [line for line in text.split("\n") if line.startswith("SCRIPT: ")]
    if not lines:
        return None
    (line,) = lines
    turns: list[list[Any]] = json.loads(line.removeprefix("SCRIPT: "))
    return turns


def _first_file(body: Mapping[str, Any], holds: int) -> list[Any]:
    """Return the turn of a model whose server drops the beginning of a prompt that is longer than it holds."""
    named = re.search(r"\w+\.txt", json.dumps(body["messages"][-1])[-holds:])
    return ["Which file?" if named is None else {"tool": "Read", "input": {"file_path": named[0]}}]


def _is_no_turn(message: Mapping[str, Any]) -> bool:
    """Tell whether a reply is none of the script: it waits for tools, or a host put it where one was cut off."""
    said = message["content"]
    return message["role"] == "assistant" and any(
        isinstance(block, dict) and (block.get("name") == WAIT or block.get("text") == CUT_OFF)
        for block in said or []
    )


def _is_early(turn: list[Any], body: Mapping[str, Any]) -> bool:
    """Tell whether a turn calls a tool that is still to come: it is not there, and what waits for it is."""
    there = {tool.get("name") for tool in body.get("tools") or []}
    called = {part["tool"] for part in turn if isinstance(part, dict) and "tool" in part}
    return WAIT in there and not called <= there


def _filled(part: Any, messages: list[Any]) -> Any:
    """Put what the last tool result holds in the place of `$name` in a call's input."""
    if not isinstance(part, dict) or "input" not in part:
        return part
    said = json.dumps(messages)
    filled = {
        name: _named_in(said, value[1:]) if isinstance(value, str) and value.startswith("$") else value
        for name, value in part["input"].items()
    }
    return {**part, "input": filled}


def _named_in(said: str, name: str) -> str:
    found = re.findall(rf"\W{name}\W+([0-9a-f-]{{36}})", said)
    assert found, f"no result names a {name}: {said[-2000:]}"
    return str(found[-1])


def scripted(*turns: list[Any], words: str = "Do it.") -> str:
    """Return a prompt that makes the server play these turns."""
    return f"{words}\nSCRIPT: {json.dumps(turns)}"


def _sse(data: Mapping[str, Any], name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def _event(data: Mapping[str, Any]) -> bytes:
    return _sse(data, data["type"])


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def anthropic(turn: list[Any], number: int = 0) -> Iterator[bytes]:
    """Write one turn as Anthropic streams it."""
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "a-model",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    }
    yield _event({"type": "message_start", "message": message})
    stop = "end_turn"
    for index, part in enumerate(turn):
        if isinstance(part, str):
            block, deltas = (
                {"type": "text", "text": ""},
                [{"type": "text_delta", "text": t} for t in _halves(part)],
            )
        elif "tool" in part:
            stop = "tool_use"
            block = {"type": "tool_use", "id": f"toolu_{number}_{index}", "name": part["tool"], "input": {}}
            written = part["raw"] if "raw" in part else json.dumps(part["input"])
            deltas = [{"type": "input_json_delta", "partial_json": t} for t in _halves(written)]
        elif "think" in part:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": part["think"]},
                {"type": "signature_delta", "signature": "signed"},
            ]
        else:
            stop = "refusal" if "refuse" in part else "max_tokens"
            continue
        yield _event({"type": "content_block_start", "index": index, "content_block": block})
        for delta in deltas:
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    yield _event({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 6}})
    yield _event({"type": "message_stop"})


def openai(turn: list[Any], *, counts: bool = True) -> Iterator[bytes]:
    """Write one turn as OpenAI streams it."""
    stop, calls = "stop", 0
    for part in turn:
        if isinstance(part, str):
            deltas: list[dict[str, Any]] = [{"content": text} for text in _halves(part)]
        elif "tool" in part:
            stop = "tool_calls"
            first, second = _halves(part["raw"] if "raw" in part else json.dumps(part["input"]))
            begun = {
                "index": calls,
                "id": f"call_{calls}",
                "function": {"name": part["tool"], "arguments": first},
            }
            deltas = [
                {"tool_calls": [begun]},
                {"tool_calls": [{"index": calls, "function": {"arguments": second}}]},
            ]
            calls += 1
        elif "think" in part:
            deltas = [{"reasoning_content": part["think"]}]
        else:
            stop = "content_filter" if "refuse" in part else "length"
            continue
        for delta in deltas:
            yield _sse({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _sse({"choices": [{"index": 0, "delta": {}, "finish_reason": stop}]})
    if counts:
        yield _sse({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 6}})
    yield b"data: [DONE]\n\n"


@contextmanager
def model_server_beside() -> Iterator[ModelServer]:
    """Serve from a thread of its own, for tests that wait for other programs."""
    ready: queue.Queue[ModelServer] = queue.Queue()
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with model_server() as playing:
            ready.put(playing)
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield ready.get(timeout=30)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """Serve on a free port of this machine until the test is over."""
    playing = ModelServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/messages", playing.answer)
    app.router.add_post("/v1/chat/completions", playing.answer)
    app.router.add_post("/v1/responses", playing.answer)
    server = TestServer(app)
    await server.start_server()
    try:
        playing.url = str(server.make_url("")).rstrip("/")
        yield playing
    finally:
        playing.over.set()
        await server.close()
