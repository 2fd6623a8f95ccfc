"""Whatever asks the gate to tool servers from inside: four requests, the tools that were granted, each call as it was decided."""

import asyncio
import gc
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.gate import tools
from sandbox.gate.tools import BODY_BYTES, TOGETHER
from tests.support.patience import eventually
from tests.support.tool_gates import HOST, PLACEHOLDER, Besieged, besieged

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture
async def gate() -> AsyncIterator[Besieged]:
    async with besieged() as made:
        yield made


async def test_a_server_is_greeted_and_tells_its_tools_and_nothing_more(gate: Besieged) -> None:
    hello = {"protocolVersion": "2025-03-26", "capabilities": {"sampling": {}}, "clientInfo": {"name": "x"}}
    met = (await gate.ask("initialize", hello))["result"]
    assert met == {
        "protocolVersion": "2025-03-26",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "files", "version": "1"},
    }
    assert (await gate.ask("initialize", {"protocolVersion": "1999-01-01"}))["result"][
        "protocolVersion"
    ] == "2025-06-18"
    listed = (await gate.ask("tools/list", {"cursor": "x"}))["result"]
    assert [tool["name"] for tool in listed["tools"]] == ["note", "slow"]
    assert set(listed) == {"tools"}
    assert await gate.ask("ping", {}) == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert await gate.post({"jsonrpc": "2.0", "method": "notifications/initialized"}) == (202, "")
    assert (gate.made, gate.decisions) == ([], [])


@pytest.mark.parametrize(
    "method",
    [
        *("resources/list", "resources/read", "resources/subscribe", "prompts/get", "logging/setLevel"),
        *("sampling/createMessage", "elicitation/create", "roots/list", "completion/complete", "tools/Call"),
        *("server/discover", ""),
    ],
)
async def test_no_other_method_is_served(gate: Besieged, method: str) -> None:
    assert (await gate.ask(method, {"name": "note"}))["error"]["code"] == -32601
    assert gate.made == []


async def test_a_call_is_made_as_it_was_decided_and_nothing_of_its_request_besides(gate: Besieged) -> None:
    more = {"_meta": {"progressToken": "p", "evil": "x"}, "task": {"ttl": 1}, "extra": [1]}
    asking = asyncio.ensure_future(
        gate.ask("tools/call", {"name": "note", "arguments": {"text": "a"}} | more)
    )
    waiting = await gate.next()
    assert (waiting.tool, dict(waiting.input)) == ("mcp__files__note", {"text": "a"})
    assert gate.made == [], "nothing is made before it is decided"
    assert waiting.decide("call-7")
    answer = (await asking)["result"]
    assert answer == {"content": [{"type": "text", "text": "made call-7"}], "isError": False}
    (made,) = gate.made
    assert (made.call_id, made.tool, dict(made.input)) == ("call-7", "mcp__files__note", {"text": "a"})


async def test_a_no_is_a_result_that_says_so(gate: Besieged) -> None:
    asking = asyncio.ensure_future(gate.call(text="a"))
    waiting = await gate.next()
    waiting.decide("call-1", "mcp__files__note was denied: no.")
    answer = (await asking)["result"]
    assert (answer["isError"], answer["content"][0]["text"]) == (True, "mcp__files__note was denied: no.")
    assert gate.made == []
    assert waiting.told.is_set()


async def test_whoever_waits_for_a_human_hears_that_it_goes_on() -> None:
    async with besieged(waiting_s=0.05) as gate:
        for token, alive in ((None, ": waiting"), ("p", '"notifications/progress"')):
            meta = {} if token is None else {"_meta": {"progressToken": token}}
            body = PING | {"method": "tools/call", "params": {"name": "note"} | meta}
            headers = {"host": HOST, "authorization": f"Bearer {PLACEHOLDER}"}
            url = f"http://127.0.0.1:{gate.port}/files"
            async with gate.client.post(url, data=json.dumps(body), headers=headers) as response:
                said = b""
                while said.count(alive.encode()) < 3:
                    said += await response.content.readany()
                (await gate.next()).decide("call-1")
                assert b"made call-1" in await response.read()


async def test_a_call_that_nobody_waits_for_is_not_made(gate: Besieged) -> None:
    asking = asyncio.ensure_future(gate.call(text="a"))
    waiting = await gate.next()
    asking.cancel()
    await asyncio.wait([asking])
    await waiting.told.wait()
    assert not waiting.decide("call-1")
    gone = asyncio.ensure_future(gate.call(text="b"))
    await gate.gate.pending.come()
    gone.cancel()
    await asyncio.wait([gone])
    await eventually(lambda: len(gate.gate._working) == 0)
    assert gate.gate.pending.take() is None, "one that is gone before its turn has none"
    assert gate.made == []


async def test_a_call_that_is_being_made_ends_with_the_run_and_not_with_its_caller() -> None:
    async with besieged() as gate:
        asking = asyncio.ensure_future(gate.call("slow"))
        waiting = await gate.next()
        waiting.decide("call-1")
        await gate.begun.wait()
        asking.cancel()
        await waiting.told.wait()
        (working,) = gate.gate._working
        assert not working.done()
    assert working.cancelled()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/mail", {}, 403),
        ("/", {}, 403),
        ("/files/", {}, 403),
        ("/files/../mail", {}, 403),
        ("/files?x=1", {}, 403),
        ("//evil.example/files", {}, 403),
        ("/files", {"host": "evil.example"}, 403),
        ("/files", {"authorization": ""}, 401),
        ("/files", {"authorization": "Bearer of-another-run"}, 401),
        ("/files", {"x_api_key": "of-another-run"}, 401),
        ("/files", {"content_encoding": "gzip"}, 400),
        ("/files", {"upgrade": "websocket", "connection": "upgrade"}, 400),
    ],
)
async def test_only_this_runs_placeholder_and_servers_open_it(
    gate: Besieged, path: str, headers: dict[str, str], status: int
) -> None:
    assert (await gate.post(PING))[0] == 200, "the control"
    assert (await gate.post(PING, path=path, **headers))[0] == status
    assert [decision.allowed for decision in gate.decisions] == [False]


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 405), ("DELETE", 405), ("PUT", 403), ("OPTIONS", 403)]
)
async def test_it_has_no_stream_of_its_own_and_no_session(gate: Besieged, method: str, status: int) -> None:
    assert (await gate.post(b"", method=method))[0] == status
    assert (await gate.post(b"", method=method, authorization="Bearer x"))[0] in (401, 403)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"x", b"[]", b"7", b"{", b"{}", b"[" * 5000),
        json.dumps([PING]).encode(),
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/call"}',
        b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}',
        *(
            json.dumps(PING | more).encode()
            for more in (
                *({"jsonrpc": "1.0"}, {"id": None}, {"id": True}, {"id": 1.5}, {"id": "x" * 300}, {"id": []}),
                *({"method": 7}, {"method": "x" * 300}, {"params": [1]}, {"params": "x"}),
            )
        ),
        json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode(),
    ],
)
async def test_what_is_no_message_is_refused(gate: Besieged, body: bytes) -> None:
    status, said = await gate.post(body)
    assert status == 400
    assert "gate_malformed" in said


@pytest.mark.parametrize(
    "params",
    [
        *({}, {"name": 7}, {"name": "x" * 300}, {"name": "note", "arguments": []}),
        *({"name": "note", "_meta": 7}, {"name": "note", "_meta": {"progressToken": []}}),
    ],
)
async def test_what_is_no_call_reaches_nobody(gate: Besieged, params: dict[str, Any]) -> None:
    status, _ = await gate.post(PING | {"method": "tools/call", "params": params})
    assert status == 400
    assert gate.gate.pending.take() is None


async def test_bodies_calls_and_requests_are_bounded(gate: Besieged, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said = await gate.post(PING | {"params": {"x": "y" * BODY_BYTES}})
    assert (status, "gate_too_large" in said) == (413, True)
    asking = [asyncio.ensure_future(gate.call(text=str(number))) for number in range(TOGETHER)]
    waiting = [await gate.next() for _ in asking]
    assert "at a time" in (await gate.call(text="too many"))["error"]["message"]
    for number, each in enumerate(waiting):
        each.decide(f"call-{number}")
    assert all("result" in each for each in await asyncio.gather(*asking))
    monkeypatch.setattr(tools, "REQUESTS", gate.gate._requests)
    status, said = await gate.post(PING)
    assert (status, "gate_busy" in said) == (429, True)


async def test_a_connection_that_comes_while_the_gate_closes_is_not_left_open() -> None:
    """Whichever step it has come to, nothing of it is left for the collector to complain of."""
    for steps in range(12):
        async with besieged() as gate:
            await gate.post(PING)  # now it waits for the next one
            with socket.create_connection(("127.0.0.1", gate.port)):
                for _ in range(steps):
                    await asyncio.sleep(0)
    gc.collect()
