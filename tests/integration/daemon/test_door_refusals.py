"""Every way of asking the door wrongly, over real sockets: a problem document with a code, and never our mistake."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatch_daemon.adapters.loopback.models import MODELS
from dispatch_daemon.adapters.loopback.route import Route
from dispatch_daemon.adapters.loopback.routes import ROUTES
from dispatch_daemon.adapters.loopback.server import Door
from dispatch_protocol import loopback
from dispatch_protocol.limits import MESSAGE_BYTES, TASK_CHARS
from tests.support.door_client import TOKEN, DoorClient, Reply, read_reply
from tests.support.door_requests import BODIES, assert_problem, target
from tests.support.scripted_service import ScriptedService


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v2/whoami", "no_route"),
        ("GET", "/v1/whoami/", "no_route"),
        ("GET", "//v1/whoami", "no_route"),
        ("GET", "/v1/dispatches/x/y/z", "no_route"),
        ("GET", "/v1/%77hoami", "no_route"),
        ("GET", "/v1/dispatches/../whoami", "no_route"),
        ("POST", "/v1/whoami", "method_not_allowed"),
        ("PUT", "/v1/dispatches", "method_not_allowed"),
        ("HEAD", "/health", "method_not_allowed"),
        ("OPTIONS", "/v1/dispatches", "method_not_allowed"),
        ("GET", "/v1/approvals/r1", "method_not_allowed"),
        ("PATCH", "/v1/rules", "method_not_allowed"),
        ("GET", "/v1/dispatches/", "not_found"),
        ("GET", "/v1/dispatches/%2e%2e", "not_found"),
        ("GET", "/v1/dispatches/a%00b", "not_found"),
        ("GET", "/v1/dispatches/%ff%fe", "not_found"),
        ("GET", "/v1/dispatches/a%2fb", "not_found"),
        ("GET", f"/v1/dispatches/{'a' * 65}", "not_found"),
        ("GET", "/v1/dispatches/ffff", "not_found"),
        ("DELETE", "/v1/rules/%25", "not_found"),
        ("GET", "/v1/dispatches?box=outbox", "invalid"),
        ("GET", "/v1/dispatches?limit=0", "invalid"),
        ("GET", "/v1/dispatches?limit=201", "invalid"),
        ("GET", "/v1/dispatches?limit=1e1", "invalid"),
        ("GET", "/v1/dispatches?limit=" + "9" * 5000, "invalid"),
        ("GET", "/v1/dispatches?cursor=", "invalid"),
        ("GET", "/v1/dispatches?cursor=" + "a" * 300, "too_long"),
        ("GET", "/v1/dispatches?cursor=%00", "invalid"),
        ("GET", "/v1/dispatches?colour=red", "invalid"),
        ("GET", "/v1/dispatches?box=inbox&box=sent", "bad_request"),
        ("GET", "/v1/dispatches?cursor=%ff", "bad_request"),
        ("GET", "/v1/dispatches?box", "bad_request"),
        ("GET", "/v1/dispatches?" + "&".join(f"a{n}=1" for n in range(40)), "bad_request"),
        ("GET", "/v1/events?dispatch=ffff", "not_found"),
        ("GET", "/v1/events?what=all", "invalid"),
    ],
)
async def test_an_address_that_leads_nowhere_says_so(
    client: DoorClient, method: str, path: str, code: str
) -> None:
    raw = client.head(method, path).encode()
    reader, writer = await client.connect()
    writer.write(raw)
    reply = await read_reply(reader) if method != "HEAD" else await _head_only(reader)
    writer.close()
    assert loopback.http_status(code) == reply.status
    if method != "HEAD":
        assert_problem(reply)
        assert reply.code == code
    if code == "method_not_allowed":
        assert reply.headers["allow"]


async def _head_only(reader: asyncio.StreamReader) -> Reply:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])
    }
    return Reply(int(lines[0].split()[1]), headers, b"")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "bad_json"),
        (b'{"recipient": "bob", "task": "a", "task": "b"}', "bad_json"),
        (b'{"recipient": "bob", "task": "a", "expires": NaN}', "bad_json"),
        (b'{"recipient": "bob", "task": "a", "expires": 600.5}', "bad_json"),
        (b'{"recipient": "bob", "task": "a", "expires": 1e999}', "bad_json"),
        (b'{"recipient": "bob", "task": "a", "expires": ' + b"9" * 5000 + b"}", "bad_json"),
        (b'{"recipient": "bob", "task": "\\ud800"}', "bad_json"),
        (b'{"recipient": "bob", "task": "\xff"}', "bad_json"),
        (b'{"recipient": "bob", "steps": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "bad_json"),
        (b'{"a":' * 200_000, "bad_json"),
        (b'{"recipient": "bob", "task": "a"} {}', "bad_json"),
        (b"\xef\xbb\xbf{}", "bad_json"),
        (b"[]", "invalid"),
        (b'"text"', "invalid"),
        (b"null", "invalid"),
        (b"{}", "invalid"),
        (b"", "invalid"),
        (b'{"recipient": "bob"}', "invalid"),
        (b'{"recipient": "bob", "task": ""}', "empty_task"),
        (b'{"recipient": "bob", "task": "a\\u0000b"}', "invalid"),
        (b'{"recipient": "bob", "task": 1}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "expires": "600"}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "expires": true}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "expires": 59}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "expires": 86401}', "invalid"),
        (b'{"recipient": "bob\\nalice", "task": "a"}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "colour": "red"}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "meta": {"k": 1}}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "steps": {"tool": "Read"}}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "link": "https://a"}', "invalid"),
        (b'{"recipient": "bob", "task": "a", "link": [], "links": []}', "invalid"),
        (json.dumps({"recipient": "bob", "task": "a" * (TASK_CHARS + 1)}).encode(), "too_long"),
        (json.dumps({"recipient": "bob", "task": "a", "link": ["x"] * 11}).encode(), "too_long"),
        (
            json.dumps({"recipient": "bob", "task": "a", "meta": {str(n): "" for n in range(21)}}).encode(),
            "too_long",
        ),
    ],
)
async def test_a_body_that_is_not_a_dispatch_is_refused(
    client: DoorClient, service: ScriptedService, body: bytes, code: str
) -> None:
    for unix in (False, True):
        reply = await client.ask("POST", "/v1/dispatches", body, unix=unix)
        assert_problem(reply)
        assert reply.code == code
    assert service.calls == []


@pytest.mark.parametrize(
    "moment",
    ["tomorrow", "2026-01-02", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00x"],
)
async def test_a_moment_that_is_none_is_refused(client: DoorClient, moment: str) -> None:
    reply = await client.ask("POST", "/v1/invitations/accept", {"token": "x", "expires_at": moment})
    assert_problem(reply)
    assert "expires_at" in reply.value["detail"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("task", "ü" * (TASK_CHARS + 1), "task: It has 100,001 characters; the limit is 100,000."),
        ("project", "p" * 201, "project: It has 201 characters; the limit is 200."),
        ("link", ["x"] * 11, "link: It has 11 entries; the limit is 10."),
        ("meta", {str(n): "" for n in range(21)}, "meta: It has more entries than the limit of 20."),
    ],
)
async def test_a_limit_is_named_with_what_was_given(
    client: DoorClient, field: str, value: object, said: str
) -> None:
    reply = await client.ask("POST", "/v1/dispatches", {"recipient": "bob", "task": "a", field: value})
    assert (reply.code, reply.value["detail"]) == ("too_long", said)


async def test_the_longest_task_is_taken(client: DoorClient) -> None:
    reply = await client.ask("POST", "/v1/dispatches", {"recipient": "bob", "task": "ü" * TASK_CHARS})
    assert reply.status == 201


async def test_a_complaint_never_quotes_a_secret(client: DoorClient) -> None:
    reply = await client.ask("POST", "/v1/invitations/accept", {"token": "s3cret" * 1000, "tools": "s3cret"})
    assert_problem(reply)
    assert b"s3cret" not in reply.body


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        "application/json; charset=utf-16",
    ],
)
async def test_another_content_type_is_refused(
    client: DoorClient, service: ScriptedService, kind: str
) -> None:
    reply = await client.ask("POST", "/v1/dispatches", BODIES["send"], Content_Type=kind)
    assert_problem(reply)
    assert reply.code == "unsupported_media_type"
    assert service.calls == []


async def test_a_charset_of_utf8_is_fine(client: DoorClient) -> None:
    kind = "application/json; charset=UTF-8"
    assert (await client.ask("POST", "/v1/dispatches", BODIES["send"], Content_Type=kind)).status == 201


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity"])
async def test_a_compressed_body_is_refused(client: DoorClient, coding: str) -> None:
    reply = await client.ask("POST", "/v1/dispatches", b"\x1f\x8b\x08", Content_Encoding=coding)
    assert_problem(reply)
    assert reply.code == "unsupported_media_type"


@pytest.mark.parametrize("key", ["", "k" * 256, "é", "a\tb"])
async def test_an_idempotency_key_is_printable_and_short(client: DoorClient, key: str) -> None:
    reply = await client.ask("POST", "/v1/dispatches", BODIES["send"], Idempotency_Key=key)
    assert_problem(reply)
    assert reply.code == "bad_request"


async def test_ten_megabytes_are_refused_at_once_and_in_words(
    client: DoorClient, service: ScriptedService
) -> None:
    reply = await client.ask("POST", "/v1/dispatches", b"x" * 10 * 1024 * 1024)
    assert_problem(reply)
    assert (reply.status, reply.code) == (413, "body_too_large")
    head = client.head(
        "POST", "/v1/dispatches", Content_Type="application/json", Transfer_Encoding="chunked"
    ).encode()
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    reply = await client.send(head + chunk * (MESSAGE_BYTES // 65536 + 1) + b"0\r\n\r\n")
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert service.calls == []


async def test_a_client_that_asks_first_is_told_to_go_on(client: DoorClient) -> None:
    reply = await client.ask("POST", "/v1/dispatches", BODIES["send"], Expect="100-continue")
    assert reply.status == 201


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health\x00 HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"POST /v1/dispatches HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/dispatches HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/dispatches HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_a_problem_document(client: DoorClient, raw: bytes) -> None:
    for unix in (False, True):
        reply = await client.send(raw, unix=unix)
        assert 400 <= reply.status < 500
        assert reply.headers["content-type"].startswith("application/problem+json")


async def test_a_body_with_broken_chunks_is_refused(client: DoorClient) -> None:
    head = client.head("POST", "/v1/dispatches", Content_Type="application/json", Transfer_Encoding="chunked")
    reply = await client.send(head.encode() + b'5\r\n{"a":\r\nzz\r\n')
    assert_problem(reply)
    assert reply.code == "bad_http"


async def test_a_body_that_never_comes_is_given_up(
    open_door: Callable[..., Awaitable[Door]], home: Path, service: ScriptedService
) -> None:
    door = await open_door(body_timeout_s=0.05)
    client = DoorClient(door, TOKEN)
    head = client.head("POST", "/v1/dispatches", Content_Type="application/json", Content_Length="100")
    reply = await client.send(head.encode() + b'{"recipient"')
    assert (reply.status, reply.code) == (408, "body_timeout")
    assert service.calls == []


async def test_a_head_that_never_ends_is_given_up(
    open_door: Callable[..., Awaitable[Door]], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch_daemon.adapters.loopback.connection.IDLE_S", 0.05)
    client = DoorClient(await open_door(), TOKEN)
    reader, writer = await client.connect()
    writer.write(b"GET /health HTTP/1.1\r\nHost: ")
    ended = asyncio.ensure_future(reader.read())
    while not ended.done():  # one drop after another keeps it open no longer
        writer.write(b"a")
        await asyncio.wait({ended}, timeout=0.01)
    assert isinstance(ended.exception(), ConnectionError) or ended.result() == b""
    writer.close()


async def test_a_client_that_leaves_in_the_middle_is_nobodys_problem(
    client: DoorClient, service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    head = client.head("POST", "/v1/dispatches", Content_Type="application/json", Content_Length="100")
    for text in (head[:20], head, head + '{"recipient":'):
        _, writer = await client.connect()
        writer.write(text.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await client.ask("GET", "/health")).status == 200
    assert service.calls == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_one_connection_carries_several_requests(client: DoorClient) -> None:
    reader, writer = await client.connect()
    for path, status in (("/health", 200), ("/nowhere", 404), ("/v1/whoami", 200)):
        writer.write(client.head("GET", path, Connection="keep-alive").encode())
        assert (await read_reply(reader)).status == status
    writer.close()


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def bodies(route: Route) -> st.SearchStrategy[bytes]:
    """Bodies near the truth: a good one with some fields replaced, and bytes that are far from it."""
    good = BODIES.get(route.operation, {})
    names = st.sampled_from(sorted(MODELS[route.body or "Nothing"].model_fields) or ["x"])
    near = st.dictionaries(names, JSONISH, max_size=3).map(
        lambda changes: json.dumps(good | changes).encode()
    )
    return near | st.binary(max_size=60) | JSONISH.map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.body is not None], ids=lambda route: route.operation
)
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_body_ends_in_our_own_mistake(route: Route, data: st.DataObject, tmp_path_factory: Any) -> None:
    body = data.draw(bodies(route))

    async def ask() -> Reply:
        home = tmp_path_factory.mktemp("home")
        home.chmod(0o700)
        door = Door(ScriptedService(), home=home, port=0, token="t" * 40)
        await door.start()
        try:
            return await DoorClient(door, "t" * 40).ask(route.method, target(route), body, unix=True)
        finally:
            await door.stop()

    reply = asyncio.run(ask())
    assert reply.status < 500, reply.body
    json.loads(reply.body)


async def test_file_that_stands_still_is_given_up(open_door: Callable[..., Awaitable[Door]]) -> None:
    door = await open_door(body_timeout_s=0.05)
    client = DoorClient(door, TOKEN)
    kind = "application/octet-stream"
    reply = await client.ask("POST", "/v1/files", b"x", Content_Type=kind, Content_Length="9")
    assert (reply.status, reply.code) == (408, "body_timeout")
