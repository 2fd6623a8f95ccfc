"""Blobs over HTTP: announced, left piece by piece, fetched, forgotten; always by a device with its short token.

They have connections of their own, and every step yields to the loop, so that a large file holds up nobody's frames.
A caller who may not see a blob is told what is told of one that never was.
"""

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.http import NOT_FOUND, problem
from dispatch_broker.adapters.log import say, short
from dispatch_broker.adapters.performer import perform
from dispatch_broker.adapters.tokens import Use
from dispatch_broker.core import blobs
from dispatch_broker.core.blobs import Offer
from dispatch_broker.core.effects import Effects, KeepBlob
from dispatch_broker.core.quota import Usage
from dispatch_broker.core.records import Account
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.limits import SAFE_INTEGER

_PIECE_S = 30.0  # how long a peer may send nothing in the middle of a blob
_PIECE_BYTES = 64 * 1024
_TOKEN = Refusal(BrokerCode.TOKEN_INVALID, "this needs the token of an open session")
_UNKEPT = Refusal(BrokerCode.UNAVAILABLE, "nothing can be stored now")
_BUSY = Refusal(BrokerCode.RATE_LIMITED, "this blob, or too many of yours, are on their way already")

_log = logging.getLogger(__name__)


async def announce(context: Context, request: web.Request) -> web.Response:
    """Say whether a blob may be left here, and how much of it is here already; nothing is changed but its end."""
    asked = _asked(context, request)
    if isinstance(asked, Refusal):
        return problem(asked)
    offer, keep = asked
    if await _there(context, keep):
        return await _kept(context, keep)
    return web.json_response({"offset": context.blobs.offset(offer.address, keep.depositor), "kept": False})


async def leave(context: Context, request: web.Request) -> web.Response:
    """Take the bytes of a blob from an offset to the end; what has come stays if the connection breaks."""
    asked = _asked(context, request)
    if isinstance(asked, Refusal):
        return problem(asked)
    offer, keep = asked
    files, depositor = context.blobs, keep.depositor
    if await _there(context, keep):
        return await _kept(context, keep)
    if (
        files.is_busy(offer.address, depositor)
        or files.writers(depositor) >= context.settings.quotas.blob_writers
    ):
        return problem(_BUSY)
    at = _number(request.query.get("offset", "0"))
    if at != files.offset(offer.address, depositor):
        return problem(Refusal(BrokerCode.OFFSET_WRONG, "these bytes do not go on where the last ones ended"))
    try:
        size = await files.append(
            offer.address, depositor, _pieces(request), room_bytes=offer.size_bytes - at
        )
        if size < offer.size_bytes:
            return problem(Refusal(BrokerCode.OFFSET_WRONG, "the body ended before the blob did"))
        if not await files.finish(offer.address, depositor):
            return problem(Refusal(BrokerCode.BLOB_ADDRESS, "these are not the bytes that the address names"))
    except OSError:
        return problem(_UNKEPT)
    say(_log, "blob", logging.DEBUG, digest=short(offer.address), size=size)
    return await _kept(context, keep, status=201)


async def fetch(context: Context, request: web.Request) -> web.StreamResponse:
    """Serve a blob, or the range of it that is asked for, to its depositor and to whom it was left for."""
    caller, address = _caller(context, request), _address(request)
    if caller is None:
        return problem(_TOKEN)
    if address is None or not context.store.blobs.readable(address, caller.genesis):
        return problem(NOT_FOUND)
    path = context.blobs.whole(address)
    if not path.is_file():
        return problem(NOT_FOUND)
    return web.FileResponse(
        path, chunk_size=_PIECE_BYTES, headers={"Content-Type": "application/octet-stream"}
    )


async def forget(context: Context, request: web.Request) -> web.Response:
    """Let the reader of a blob say that it has it; the same again changes nothing."""
    caller, address = _caller(context, request), _address(request)
    if caller is None:
        return problem(_TOKEN)
    if address is None:
        return problem(NOT_FOUND)
    if not await _durable(context, blobs.forget(address, caller.genesis)):
        return problem(_UNKEPT)
    return web.Response(status=204)


def _asked(context: Context, request: web.Request) -> tuple[Offer, KeepBlob] | Refusal:
    """Read what a depositor asks for, and decide on it."""
    caller, address = _caller(context, request), _address(request)
    if caller is None:
        return _TOKEN
    size, expires = _number(request.query.get("size")), _number(request.query.get("expires"))
    try:
        edge_id = EdgeId.from_uuid(request.query.get("edge", ""))
    except MalformedError:
        edge_id = None
    if address is None or size is None or expires is None or edge_id is None:
        return Refusal(BrokerCode.MALFORMED, "a blob needs its address, its edge, its size and its end")
    held, begun = context.store.blobs.held(caller.genesis), context.blobs.unfinished(caller.genesis, address)
    offer = Offer(
        address=address,
        size_bytes=size,
        expires_ms=expires,
        depositor=caller,
        edge=context.store.edges.edge(edge_id),
        held=Usage(held.rows + begun.rows, held.size_bytes + begun.size_bytes),
    )
    keep = blobs.admit(offer, context.settings.quotas, context.clock())
    return keep if isinstance(keep, Refusal) else (offer, keep)


async def _there(context: Context, keep: KeepBlob) -> bool:
    """Whether this depositor has left this blob for this reader already, and its bytes are still here."""
    if not context.store.blobs.kept(keep.address, keep.depositor, keep.reader):
        return False
    return context.blobs.whole(keep.address).is_file()


async def _kept(context: Context, keep: KeepBlob, *, status: int = 200) -> web.Response:
    if not await _durable(context, (keep,)):
        return problem(_UNKEPT)
    return web.json_response({"offset": keep.size_bytes, "kept": True}, status=status)


async def _durable(context: Context, effects: Effects) -> bool:
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def settle(durable: bool) -> None:
        if not done.done():  # whoever asked may have left
            done.set_result(durable)

    perform(context, effects, settle)
    return await done


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    """Yield a body as it comes; one that stops coming, or breaks, ends."""
    while True:
        try:
            async with asyncio.timeout(_PIECE_S):
                piece = await request.content.readany()
        except (TimeoutError, web.RequestPayloadError):
            return
        if not piece:
            return
        yield piece


def _caller(context: Context, request: web.Request) -> Account | None:
    """Return who asks: an account of this broker, by the token of a session of one of its active devices."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or "Origin" in request.headers:
        return None
    claim = context.tokens.read(Use.SESSION, token.strip(), context.clock())
    account = None if claim is None else context.store.accounts.served(claim.device)
    return account if claim is not None and account is not None and account.genesis == claim.genesis else None


def _address(request: web.Request) -> Digest | None:
    try:
        return Digest.from_hex(request.match_info["address"])
    except MalformedError:
        return None


def _number(text: str | None) -> int | None:
    """Read a plain decimal number that every reader of JSON could hold."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 16:
        return None
    number = int(text)
    return number if number <= SAFE_INTEGER else None
