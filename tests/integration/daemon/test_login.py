"""Signing in against a real HTTP server that answers well, badly, endlessly, or not at all."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError, login_dev
from dispatch_protocol.errors import LocalError
from tests.support.certificates import make_certificate

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Broker = Callable[..., Awaitable[str]]
DEVICE, GENESIS = "d" * 64, "9" * 64


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    """Start brokers that answer as a handler says; returns the address of each."""
    runners: list[web.ServerRunner] = []

    async def start(handler: Handler, **listening: Any) -> str:
        runner = web.ServerRunner(web.Server(handler))
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0, **listening)
        await site.start()
        scheme = "https" if listening else "http"
        return f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def saying(status: int, body: bytes | str | dict[str, object]) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        return web.Response(status=status, body=data)

    return handle


async def test_a_broker_gives_a_token_for_this_device_and_identity(broker: Broker) -> None:
    asked: list[tuple[str, str, str | None, dict[str, str]]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append((request.method, request.path, request.content_type, json.loads(await request.read())))
        return web.json_response({"token": "short-lived", "expires_at": "2026-01-02T03:04:05.678Z"})

    url = await broker(handle)
    assert await login_dev(f"{url}/", "bob@example.org", DEVICE, GENESIS) == "short-lived"
    body = {"email": "bob@example.org", "device": DEVICE, "genesis": GENESIS}
    assert asked == [("POST", "/v1/login/dev", "application/json", body)]


async def test_a_problem_document_keeps_its_code(broker: Broker) -> None:
    url = await broker(
        saying(409, {"code": "pair_needed", "detail": "This address has an identity already."})
    )
    with pytest.raises(RelayRejectedError) as refused:
        await login_dev(url, "bob@example.org", DEVICE, GENESIS)
    assert (refused.value.code, refused.value.status) == ("pair_needed", 409)
    assert refused.value.detail == "This address has an identity already."
    url = await broker(saying(403, {"code": "signup_closed", "detail": 7}))
    with pytest.raises(RelayRejectedError, match="signup_closed"):
        await login_dev(url, "bob@example.org", DEVICE, GENESIS)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>hello</html>"),
        (200, b"[]"),
        (200, {"token": 7}),
        (200, {"token": ""}),
        (200, b'{"token": "a", "token": "b"}'),
        (200, b'{"token": "' + b"x" * 100_000 + b'"}'),
        (204, b""),
        (302, {"token": "elsewhere"}),
        (404, b"not found"),
        (500, {"oops": True}),
        (502, b"bad gateway"),
    ],
)
async def test_what_is_no_broker_is_said(
    broker: Broker, status: int, body: bytes | dict[str, object]
) -> None:
    url = await broker(saying(status, body))
    with pytest.raises(RelayUnreachableError, match=rf"no broker, or not now \(HTTP {status}\)"):
        await login_dev(url, "bob@example.org", DEVICE, GENESIS)


async def test_a_redirect_is_not_followed(broker: Broker) -> None:
    reached: list[str] = []

    async def trap(request: web.BaseRequest) -> web.StreamResponse:
        reached.append(request.path)
        return web.json_response({"token": "stolen"})

    elsewhere = await broker(trap)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": f"{elsewhere}/v1/login/dev"})

    with pytest.raises(RelayUnreachableError, match="HTTP 307"):
        await login_dev(await broker(handle), "bob@example.org", DEVICE, GENESIS)
    assert reached == []


async def test_nobody_there_is_said() -> None:
    with pytest.raises(RelayUnreachableError, match=r"127\.0\.0\.1:1: nothing listens there"):
        await login_dev("http://127.0.0.1:1", "bob@example.org", DEVICE, GENESIS)


async def test_an_answer_that_breaks_off_is_said(broker: Broker) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.abort()
        return response

    with pytest.raises(RelayUnreachableError):
        await login_dev(await broker(handle), "bob@example.org", DEVICE, GENESIS)


async def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(LocalError, match="bad_broker_url"):
        await login_dev("ftp://example.org", "bob@example.org", DEVICE, GENESIS)


async def test_loopback_is_never_asked_through_a_proxy(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    url = await broker(saying(200, {"token": "direct"}))
    assert await login_dev(url, "bob@example.org", DEVICE, GENESIS) == "direct"


async def test_a_certificate_is_believed_only_if_we_were_told_to(broker: Broker, tmp_path: Path) -> None:
    context, bundle = make_certificate(tmp_path)
    url = await broker(saying(200, {"token": "sealed"}), ssl_context=context)
    with pytest.raises(RelayUnreachableError, match="certificate is not trusted"):
        await login_dev(url, "bob@example.org", DEVICE, GENESIS)
    assert await login_dev(url, "bob@example.org", DEVICE, GENESIS, ca_bundle=str(bundle)) == "sealed"
