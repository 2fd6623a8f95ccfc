"""Plain HTTP: what is public, and one way to say no (RFC 9457).

Everything that needs a device's proof happens in its session. What is here can be asked by anybody, so it is bounded in
size and rate, changes nothing on GET, and answers in problem documents whatever is sent.
"""

import asyncio
import ipaddress
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import BaseModel, ConfigDict

from dispatch_broker.adapters import landing
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.settings import is_loopback
from dispatch_broker.adapters.store_sqlite import StoreError
from dispatch_broker.adapters.version import installed_version
from dispatch_broker.core.records import Invitation
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.encoding import JSON, loads, unhex
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import EdgeId, Genesis
from dispatch_protocol.limits import DOCUMENT_BYTES
from dispatch_protocol.recovery_text import HINT_BYTES

BODY_BYTES = 16 * 1024
_FORWARDED = ("forwarded", "x-forwarded-", "x-real-ip", "via")
_PLACE = re.compile(r"(?:(?P<name>[A-Za-z0-9.-]+)|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?")
_HEADERS = {
    "Cache-Control": "no-store",
    "Server": "dispatch-broker",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
NOT_FOUND = Refusal(BrokerCode.NOT_FOUND, "there is nothing here")
_STORE_AWAY = Refusal(BrokerCode.UNAVAILABLE, "the store cannot be used now; try again in a moment")
_SLOW_DOWN = Refusal(BrokerCode.RATE_LIMITED, "too many requests; wait a moment")
_BY_STATUS = {
    404: NOT_FOUND,
    405: Refusal(BrokerCode.METHOD_NOT_ALLOWED, "this address does not take that method"),
    413: Refusal(BrokerCode.TOO_LARGE, f"a request body is {BODY_BYTES} bytes at most"),
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class Health(BaseModel):
    """Whether this broker takes sessions."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    status: str
    version: str


def problem(refusal: Refusal, **members: str) -> web.Response:
    """Say no in a problem document (RFC 9457), with what else belongs to it."""
    return _problem(refusal.code.value, refusal.status, refusal.detail, **members)


def _problem(code: str, status: int, detail: str, **members: str) -> web.Response:
    headers = {"Retry-After": "10"} if status in {429, 503} else {}
    if status == HTTPStatus.UPGRADE_REQUIRED:
        headers["Upgrade"] = "websocket"
    body = {
        "type": f"urn:dispatch:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **members,
    }
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")


def guard(context: Context) -> Middleware:
    """Return the middleware that every request passes: rate, loopback rules, and one spelling of every failure."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(context, request, handler)
        context.counts.requests[_route(request), response.status] += 1
        if not response.prepared:
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    return guarded


def _route(request: web.Request) -> str:
    """Name what was asked for as this program spells it, never as the caller did."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


async def _answer(context: Context, request: web.Request, handler: Handler) -> web.StreamResponse:
    if not context.requests.take(caller(context, request), context.ticks()):
        return problem(_SLOW_DOWN)
    refusal = _not_direct(request) if context.settings.dev else None
    if refusal is not None:
        return problem(refusal)
    try:
        return await handler(request)
    except web.HTTPException as error:
        detail = f"HTTP {error.status}: {error.reason}"
        response = problem(_BY_STATUS.get(error.status, Refusal(BrokerCode.MALFORMED, detail)))
        if "Allow" in error.headers:  # which methods there are, beside a 405 (RFC 9110, section 15.5.6)
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except (ConnectionError, asyncio.CancelledError):
        raise
    except StoreError:
        _log.exception("store_failed")
        return problem(_STORE_AWAY)
    except Exception:  # noqa: BLE001 - logged with its incident; nothing a caller sends may show a traceback
        incident = secrets.token_hex(4)
        _log.exception("internal", extra={"fields": {"incident": incident}})
        return _problem("internal", 500, f"something failed here; the operator's log names it {incident}")


def caller(context: Context, request: web.Request) -> str:
    """Return the address of the network that asks: the last one that is no proxy of ours (RFC 7239 says why the last).

    Whatever stands before it was written by whoever asks, so it counts for nothing.
    """
    here = request.remote or ""
    if not _is_proxy(context, here):
        return here
    lines = ",".join(request.headers.getall("X-Forwarded-For", []))
    for hop in reversed([each.strip() for each in lines.split(",")]):
        try:
            address = str(ipaddress.ip_address(hop))
        except ValueError:
            return here
        if not _is_proxy(context, address):
            return address
    return here


def _is_proxy(context: Context, address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in context.settings.proxies)


def _not_direct(request: web.Request) -> Refusal | None:
    """Refuse whatever may have come from elsewhere: a development broker serves this machine alone."""
    if any(name.lower().startswith(_FORWARDED) for name in request.headers):
        return Refusal(BrokerCode.DEV_ONLY_DIRECT, "a development broker takes no forwarded requests")
    if not is_loopback(request.remote or "") or not _named_here(request):
        return Refusal(BrokerCode.DEV_ONLY_DIRECT, "a development broker serves its own machine only")
    return None


def private(request: web.Request, *, loopback: bool) -> bool:
    """Whether a request comes straight from a program: no proxy, no page, and no name that was led here."""
    if "Origin" in request.headers or any(name.lower().startswith(_FORWARDED) for name in request.headers):
        return False
    return not loopback or _named_here(request)


def _named_here(request: web.Request) -> bool:
    """Whether the caller believes to speak to this machine: the one `Host` says so, as it is spelled, and the target.

    A target may have an authority of its own, which stands above `Host` (RFC 9112, section 3.2.2); and a library that
    reads names forgivingly finds `127.0.0.1` in what means something else to others.
    """
    hosts = request.headers.getall("Host", [])
    spelled = _PLACE.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if spelled is None or not is_loopback(spelled["name"] or spelled["address"]):
        return False
    return request.raw_path.startswith(("/", f"http://{hosts[0]}/"))


async def health(context: Context, request: web.Request) -> web.Response:
    """Say whether this broker takes sessions."""
    del request
    status = "draining" if context.draining else "ok"
    answer = Health(status=status, version=installed_version())
    return web.json_response(answer.model_dump(), status=503 if context.draining else 200)


def _invitation(context: Context, request: web.Request) -> Invitation | None:
    try:
        invitation_id = EdgeId.from_uuid(request.match_info["id"])
    except MalformedError:
        return None
    return context.store.invitations.invitation(invitation_id)


async def invitation(context: Context, request: web.Request) -> web.Response:
    """Return an invitation's public signed document."""
    found = _invitation(context, request)
    if found is None:
        return problem(NOT_FOUND)
    return web.Response(body=found.document, content_type="application/json")


async def landing_page(context: Context, request: web.Request) -> web.Response:
    """Return the page behind an invitation's link; looking at it changes nothing."""
    found = _invitation(context, request)
    text = (
        landing.missing_page()
        if found is None
        else landing.page(
            found,
            broker_url=context.public_url,
            install=context.settings.install,
            dev=context.settings.dev,
            now_ms=context.clock(),
        )
    )
    headers = {"Content-Security-Policy": landing.CONTENT_SECURITY_POLICY}
    status = 404 if found is None else 200
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


async def chain(context: Context, request: web.Request) -> web.Response:
    """Return an identity's public chain; whoever reads it verifies it from the fingerprint up.

    Its first eight bytes find it too: that much stands on paper beside a recovery key.
    """
    named = request.match_info["genesis"]
    try:
        if len(named) == 2 * HINT_BYTES:
            found = context.store.accounts.begun(unhex(named, length=HINT_BYTES))
        else:
            found = Genesis.from_hex(named)
    except MalformedError:
        found = None
    links = () if found is None else context.store.accounts.links(found)
    if not links:
        return problem(NOT_FOUND)
    value: dict[str, JSON] = {"links": [loads(link, max_bytes=DOCUMENT_BYTES) for link in links]}
    return web.json_response(value, dumps=lambda shown: json.dumps(shown, ensure_ascii=False))
