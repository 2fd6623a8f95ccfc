"""Whatever asks the gate from inside: only the model's words leave, with the owner's key, within the owner's bounds."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.gate import model, serving
from tests.support.gates import HOST, KEY, MODEL, PLACEHOLDER, Besieged, besieged
from tests.support.model_server import Trouble, scripted
from tests.support.patience import eventually

VENDORS = ("anthropic", "openai")
READ_TOOL = {
    "anthropic": {"name": "Read", "input_schema": {"type": "object"}},
    "openai": {"type": "function", "function": {"name": "Read", "parameters": {"type": "object"}}},
}


def request(**more: Any) -> dict[str, Any]:
    """Return an honest request of either vendor, with something more."""
    asked = {"model": MODEL, "stream": True, "max_tokens": 1000}
    return asked | {"messages": [{"role": "user", "content": scripted(["Hello."], ["Again."])}]} | more


@pytest.fixture(params=VENDORS)
async def gate(request: pytest.FixtureRequest) -> AsyncIterator[Besieged]:
    async with besieged(request.param) as made:
        yield made


async def test_an_honest_request_is_rebuilt_and_answered(gate: Besieged) -> None:
    status, answer = await gate.ask(
        request(tools=[READ_TOOL[gate.protocol]], metadata={"user_id": "x"}, user="x")
    )
    assert status == 200
    assert "lo." in answer
    (left,) = gate.model.requests
    assert set(left) == {"model", "messages", "tools", "stream", "max_tokens"} | (
        {"stream_options"} if gate.protocol == "openai" else set()
    )
    (headers,) = gate.model.headers
    assert headers["x-api-key" if gate.protocol == "anthropic" else "authorization"].endswith(KEY)
    assert PLACEHOLDER not in str(headers) + str(left)
    assert gate.decisions[0].allowed
    assert (gate.gate.meter.turns, gate.gate.meter.input_tokens, gate.gate.meter.output_tokens) == (1, 10, 6)


def content(protocol: str, block: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, block]}]}


FORBIDDEN = [
    *[
        ("anthropic", {"tools": [{"type": kind, "name": "x"}]})
        for kind in (
            "web_search_20250305",
            "web_fetch_20250910",
            "code_execution_20250522",
            "bash_20250124",
            "mcp_toolset",
        )
    ],
    ("anthropic", {"mcp_servers": [{"type": "url", "url": "https://evil.example", "name": "x"}]}),
    ("anthropic", {"container": "container_1"}),
    (
        "anthropic",
        content("anthropic", {"type": "image", "source": {"type": "url", "url": "https://evil.example/x"}}),
    ),
    (
        "anthropic",
        content("anthropic", {"type": "document", "source": {"type": "url", "url": "https://evil.example"}}),
    ),
    (
        "anthropic",
        content("anthropic", {"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    ),
    ("anthropic", content("anthropic", {"type": "container_upload", "file_id": "file_1"})),
    (
        "anthropic",
        content("anthropic", {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}),
    ),
    (
        "anthropic",
        content(
            "anthropic",
            {
                "type": "tool_result",
                "tool_use_id": "1",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://evil.example"}}],
            },
        ),
    ),
    (
        "anthropic",
        {"system": [{"type": "document", "source": {"type": "url", "url": "https://evil.example"}}]},
    ),
    *[
        ("openai", {"tools": [{"type": kind}]})
        for kind in ("web_search", "code_interpreter", "mcp", "file_search", "custom")
    ],
    ("openai", {"web_search_options": {"search_context_size": "low"}}),
    ("openai", {"plugins": [{"id": "web"}]}),
    ("openai", {"mcp_servers": [{"url": "https://evil.example"}]}),
    ("openai", {"tool_choice": {"type": "web_search"}}),
    ("openai", content("openai", {"type": "image_url", "image_url": {"url": "https://evil.example/x.png"}})),
    ("openai", content("openai", {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})),
    ("openai", content("openai", {"type": "file", "file": {"file_id": "file_1"}})),
    ("openai", content("openai", {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}})),
]


@pytest.mark.parametrize(("protocol", "more"), FORBIDDEN)
async def test_nothing_that_makes_the_vendor_act_leaves(protocol: str, more: dict[str, Any]) -> None:
    async with besieged(protocol) as gate:
        status, answer = await gate.ask(request(**more))
        assert (status, answer["error"]["code"]) == (403, "gate_forbidden")
        assert gate.model.requests == []
        assert [(decision.allowed, decision.code) for decision in gate.decisions] == [
            (False, "gate_forbidden")
        ]
        assert gate.gate.meter.turns == 0


async def test_headers_from_inside_stay_inside(gate: Besieged) -> None:
    await gate.ask(
        request(),
        anthropic_beta="mcp-client-2025-04-04,files-api-2025-04-14",
        cookie="a=b",
        x_forwarded_host="evil",
    )
    (headers,) = gate.model.headers
    assert not {"anthropic-beta", "cookie", "x-forwarded-host"} & set(headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("POST", "/v1/files"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/responses/compact"),
        ("POST", "/v1/messages/"),
        ("POST", "/v1/messages?beta=true&x=1"),
        ("POST", "/v1/../v1/files"),
        ("POST", "//evil.example/v1/messages"),
        ("GET", "/v1/messages"),
        ("DELETE", "/v1/messages"),
        ("POST", "/"),
    ],
)
async def test_no_other_path_or_method_leaves(gate: Besieged, method: str, path: str) -> None:
    connection = gate.raw(
        f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {PLACEHOLDER}\r\ncontent-length: 2\r\n\r\n{{}}".encode()
    )
    assert b" 403 " in await asyncio.to_thread(connection.recv, 4096)
    connection.close()
    assert gate.model.requests == []


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:1", "127.0.0.1", "localhost", f"{HOST}@evil.example"]
)
async def test_no_other_host_is_behind_the_gate(gate: Besieged, host: str) -> None:
    assert (await gate.ask(request(), host=host))[0] == 403
    assert gate.model.requests == []


@pytest.mark.parametrize(
    "line",
    [
        "POST http://evil.example/v1/messages HTTP/1.1",
        "CONNECT evil.example:443 HTTP/1.1",
        "POST /v1/messages HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade",
    ],
)
async def test_the_gate_is_no_proxy(line: str) -> None:
    async with besieged("anthropic") as gate:
        body = json.dumps(request())
        connection = gate.raw(
            f"{line}\r\nhost: {HOST}\r\nx-api-key: {PLACEHOLDER}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        assert b" 40" in await asyncio.to_thread(connection.recv, 4096)
        connection.close()
        assert gate.model.requests == []


@pytest.mark.parametrize(
    "framing",
    [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "content-length: 4\r\ncontent-length: 400",
        "transfer-encoding: chunked, identity",
        "content-length: +4",
        "content-length : 4",
    ],
)
async def test_what_is_framed_twice_is_no_request(framing: str) -> None:
    """The gate reads a request whole and writes a new one: nothing can hide behind it on the way to the endpoint."""
    hidden = f"POST /v1/files HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {PLACEHOLDER}\r\n\r\n"
    async with besieged("anthropic") as gate:
        connection = gate.raw(
            f"POST /v1/messages HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {PLACEHOLDER}\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}".encode()
        )
        assert b" 400 " in await asyncio.to_thread(connection.recv, 4096)
        connection.close()
        assert gate.model.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": ""},
        {"x_api_key": KEY},
        {"x_api_key": "placeholder-of-another-run"},
        {"x_api_key": PLACEHOLDER.upper()},
        {"authorization": "Bearer placeholder-of-another-run"},
        {"x_api_key": "", "authorization": f"Basic {PLACEHOLDER}"},
        {"x_api_key": "", "api_key": ""},
        {"x_api_key": PLACEHOLDER + "é"},
    ],
)
async def test_only_this_runs_placeholder_opens_it(gate: Besieged, headers: dict[str, str]) -> None:
    status, answer = await gate.ask(request(), **headers)
    assert (status, answer["error"]["code"]) == (401, "gate_placeholder")
    assert gate.model.requests == []


async def test_the_placeholder_may_stand_where_either_vendor_has_its_key(gate: Besieged) -> None:
    status, _ = await gate.ask(request(), x_api_key="", authorization=f"Bearer {PLACEHOLDER}")
    assert status == 200


@pytest.mark.parametrize("model", ["another-model", None, ["a-model"], "A-MODEL", "a-model "])
async def test_no_other_model_is_asked(gate: Besieged, model: object) -> None:
    status, answer = await gate.ask(request(model=model))
    assert (status, answer["error"]["code"]) == (403, "gate_model")
    assert gate.model.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"model": "a-model", "model": "another"}',
        b'{"model": "a-model", "messages": [], "temperature": NaN}',
        b"[" * 100_000,
        b'{"model": "a-model"}',
        b'{"model": "a-model", "messages": {}}',
        b'{"model": "a-model", "messages": [1]}',
        b'{"model": "a-model", "messages": [{"role": "god", "content": "x"}]}',
        b'{"model": "a-model", "messages": [{"role": "user", "content": 1}]}',
        b'{"model": "a-model", "messages": [], "max_tokens": -1}',
        b'{"model": "a-model", "messages": [], "max_tokens": true}',
        b'{"model": "a-model", "messages": [], "max_tokens": ' + b"9" * 5000 + b"}",
        b'{"model": "a-model", "messages": [], "stream": "yes"}',
        b'{"model": "a-model", "messages": [], "tools": [{"type": "function"}, 1]}',
    ],
)
async def test_what_is_no_request_is_told_so(gate: Besieged, body: bytes) -> None:
    status, answer = await gate.ask(body)
    assert status in (400, 403)
    assert answer["error"]["code"] in ("gate_malformed", "gate_forbidden")
    assert gate.model.requests == []


async def test_a_lone_surrogate_leaves_as_the_escape_it_came_as(gate: Besieged) -> None:
    body = json.dumps(request(stop="\ud800", stop_sequences=["\ud800"])).encode()
    assert (await gate.ask(body))[0] == 200


async def test_the_longest_answer_is_pinned(gate: Besieged) -> None:
    await gate.ask(request(max_tokens=10**9))
    assert gate.model.requests[0]["max_tokens"] == 32_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_a_packed_body_is_not_unpacked(gate: Besieged, encoding: str) -> None:
    status, _ = await gate.ask(gzip.compress(b"0" * 1000), content_encoding=encoding)
    assert status == 400
    assert gate.model.requests == []


async def test_what_is_too_large_is_not_read_to_its_end(gate: Besieged) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(model.BODY_BYTES // (1 << 20) + 2):
            yield b" " * (1 << 20)

    status, answer = await _stream(gate, endless())
    assert (status, answer["error"]["code"]) == (413, "gate_too_large")


async def _stream(gate: Besieged, body: AsyncIterator[bytes]) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{gate.port}{'/v1/messages' if gate.protocol == 'anthropic' else '/v1/chat/completions'}"
    async with gate.client.post(url, data=body, headers={"host": HOST, "x-api-key": PLACEHOLDER}) as response:
        return response.status, await response.json()


async def test_turns_are_counted_for_all_that_ask_together() -> None:
    async with besieged("anthropic", turns=3) as gate:
        answers = await asyncio.gather(*(gate.ask(request()) for _ in range(6)))
        assert sorted(status for status, _ in answers) == [200, 200, 200, 403, 403, 403]
        assert len(gate.model.requests) == 3
        assert gate.gate.spent.is_set()


async def test_tokens_are_reserved_before_they_are_spent() -> None:
    async with besieged("anthropic", tokens=1000) as gate:
        answers = await asyncio.gather(*(gate.ask(request()) for _ in range(4)))
        assert sorted(status for status, _ in answers) == [200, 403, 403, 403]
        assert gate.gate.meter.room == 1000 - 16


async def test_leaving_before_the_count_is_no_discount() -> None:
    async with besieged("anthropic", tokens=10_000) as gate:
        start = b'data: {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}\n\n'
        gate.model.trouble.append(
            Trouble(200, {"content-type": "text/event-stream", "content-length": "99999"}, start)
        )
        body = json.dumps(request())
        connection = gate.raw(
            f"POST /v1/messages HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {PLACEHOLDER}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        while b"message_start" not in await asyncio.to_thread(connection.recv, 4096):
            pass
        connection.close()
        await eventually(lambda: gate.gate.meter.reserved == 0)
    assert (gate.gate.meter.input_tokens, gate.gate.meter.output_tokens) == (7, 1000)


async def test_an_endpoint_that_counts_nothing_is_counted_by_length() -> None:
    async with besieged("anthropic", tokens=10_000) as gate:
        said = b'data: {"type": "message_stop", "said": "' + b"x" * 400 + b'"}\n\n'
        gate.model.trouble.append(Trouble(200, {"content-type": "text/event-stream"}, said))
        await gate.ask(request())
        assert gate.gate.meter.output_tokens == len(said) // 4
        assert gate.gate.meter.input_tokens > 0


async def test_a_key_that_the_endpoint_echoes_stays_outside(gate: Besieged) -> None:
    for status in (400, 401, 403, 500):
        gate.model.trouble.append(Trouble(status, {"x-key": KEY}, f"your key {KEY} is bad".encode()))
        answered, told = await gate.ask(request())
        assert answered == status
        assert KEY not in str(told)
    assert KEY not in str(gate.decisions) + repr(gate.gate.trouble) + repr(gate.gate.rule)


async def test_a_key_that_a_stream_echoes_stays_outside(gate: Besieged) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": f"the key {KEY} is bad"}}
    said = f"event: error\ndata: {json.dumps(error)}\n\n".encode()
    gate.model.trouble.append(Trouble(200, {"content-type": "text/event-stream"}, said))
    _, told = await gate.ask(request())
    for seen in (str(told), repr(gate.gate.trouble)):
        assert "is bad" in seen
        assert KEY not in seen


async def test_a_redirect_is_not_followed(gate: Besieged) -> None:
    gate.model.trouble.append(Trouble(307, {"location": f"{gate.model.url}/v1/messages"}))
    assert (await gate.ask(request()))[0] == 502
    assert len(gate.model.requests) == 1


async def test_refusals_are_told_as_often_as_somebody_reads_them(gate: Besieged) -> None:
    for _ in range(120):
        await gate.ask(b"")
    assert len(gate.decisions) == 100


async def test_connections_that_are_only_held_are_not_all_kept(gate: Besieged) -> None:
    held = [gate.raw(b"POST ") for _ in range(serving.CONNECTIONS + 20)]
    closed = 0
    for connection in held[serving.CONNECTIONS :]:
        closed += await asyncio.to_thread(_is_closed, connection)
    assert closed == 20
    for connection in held:
        connection.close()


def _is_closed(connection: Any) -> bool:
    connection.settimeout(30)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


async def test_counting_tokens_costs_no_turn() -> None:
    async with besieged("anthropic", turns=1) as gate:
        status, _ = await gate.ask(request(), path="/v1/messages/count_tokens")
        assert status == 404  # the server of the tests counts none; the request left
        assert gate.gate.meter.turns == 0
        assert (await gate.ask(request()))[0] == 200
