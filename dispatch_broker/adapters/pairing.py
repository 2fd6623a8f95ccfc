"""Pairing over the doors: calls of the device that has a session, plain HTTP for the machine that has none yet.

What they say to each other is opaque here, like everything else; it is bounded, and it is forgotten with the pairing.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.http import problem
from dispatch_broker.core.pairings import MESSAGE_CHARS
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.encoding import loads
from dispatch_protocol.errors import MalformedError

_BODY_BYTES = 16 * 1024
_BODY_S = 10.0
_NOT_THERE = Refusal(BrokerCode.NOT_FOUND, "no pairing goes on there, or not any more")


class PairingMessage(BaseModel):
    """What the new machine says: how it joins, once, or what its person has found; opaque to the broker."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    message: str = Field(min_length=1, max_length=MESSAGE_CHARS)


class PairingMessages(BaseModel):
    """What the device that began a pairing has said so far."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    messages: list[str]


def is_place(name: str) -> bool:
    """Say whether this is the name of a meeting place: 64 lower-case hex digits."""
    return len(name) == 64 and all(letter in "0123456789abcdef" for letter in name)


async def said(context: Context, request: web.Request) -> web.Response:
    """Return what the device that began a pairing has said."""
    name = request.match_info["place"]
    found = context.pairings.said(name, context.clock()) if is_place(name) else _NOT_THERE
    if isinstance(found, Refusal):
        return problem(found)
    return web.json_response(PairingMessages(messages=list(found)).model_dump())


async def join(context: Context, request: web.Request) -> web.Response:
    """Take the message by which the new machine joins."""
    return await _left(context, request, context.pairings.join)


async def judge(context: Context, request: web.Request) -> web.Response:
    """Take what the person at the new machine has found."""
    return await _left(context, request, context.pairings.judge)


async def _left(
    context: Context, request: web.Request, leave: Callable[[str, str, int], Refusal | None]
) -> web.Response:
    """Leave a message of the new machine at its place."""
    message = await _read(request)
    if isinstance(message, Refusal):
        return problem(message)
    name = request.match_info["place"]
    refusal = leave(name, message, context.clock()) if is_place(name) else _NOT_THERE
    return problem(refusal) if refusal is not None else web.Response(status=204)


async def _read(request: web.Request) -> str | Refusal:
    if "Origin" in request.headers:
        return Refusal(BrokerCode.BROWSER_REFUSED, "pages do not pair devices")
    if request.content_type != "application/json":
        return Refusal(BrokerCode.MEDIA_TYPE, "the body is application/json")
    try:
        async with asyncio.timeout(_BODY_S):
            body = await request.read()
        return PairingMessage.model_validate(loads(body, max_bytes=_BODY_BYTES)).message
    except TimeoutError:
        return Refusal(BrokerCode.MALFORMED, "the body did not come")
    except MalformedError as error:
        return Refusal(BrokerCode.MALFORMED, error.detail)
    except ValidationError:
        return Refusal(BrokerCode.MALFORMED, "the field message is missing, empty or too long")
