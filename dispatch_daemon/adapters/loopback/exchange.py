"""One request in, one answer out: bodies read strictly and in time, answers that no page can misuse.

Refusals are problem documents (RFC 9457) with a stable `code`. Nothing that a client sends may end in a 5xx; if
something does, it is our mistake, and the answer carries an incident id that stands in the log beside the traceback.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from aiohttp import web

from dispatch_daemon.ports import JsonObject, ServiceError
from dispatch_protocol import loopback
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.limits import MESSAGE_BYTES

_log = logging.getLogger(__name__)

BODY_TIMEOUT_S: Final = 10.0

# A page of ours needs nothing from elsewhere, and an answer of ours must be of no use inside somebody else's page.
SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "dispatch",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class MethodNotAllowedError(ServiceError):
    """The address exists and the method does not; RFC 9110, section 15.5.6, asks for the list of those that do."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Remember what one may do instead."""
        self.allowed = ", ".join(sorted(allowed))
        super().__init__("method_not_allowed", f"Here one may only {self.allowed}.")


async def read_body(request: web.BaseRequest, *, timeout_s: float = BODY_TIMEOUT_S) -> bytes:
    """Read a JSON body of at most `MESSAGE_BYTES`, or nothing.

    Raises `ServiceError`: `unsupported_media_type`, `body_too_large`, or `body_timeout` from a client too slow.
    """
    if not request.body_exists:
        return b""
    if request.content_type != "application/json" or request.charset not in {None, "utf-8", "UTF-8"}:
        raise ServiceError("unsupported_media_type", "A body should be application/json in UTF-8.")
    if "Content-Encoding" in request.headers:
        raise ServiceError("unsupported_media_type", "A body should not be compressed.")
    if (request.content_length or 0) > MESSAGE_BYTES:
        raise _too_large()
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # that was no answer yet
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in request.content.iter_any():
                pieces.append(piece)
                size += len(piece)
                if size > MESSAGE_BYTES:
                    raise _too_large()
    except web.RequestPayloadError:
        raise ServiceError("bad_http", "The body is not framed as HTTP frames one.") from None
    except TimeoutError:
        raise ServiceError("body_timeout", f"The body did not arrive within {timeout_s:g} s.") from None
    return b"".join(pieces)


async def read_pieces(request: web.BaseRequest, *, timeout_s: float = BODY_TIMEOUT_S) -> AsyncIterator[bytes]:
    """Yield a body of plain bytes as it comes; whoever reads it bounds it.

    Raises `ServiceError`: `unsupported_media_type`, or `body_timeout` from a client that sends nothing for too long.
    """
    if request.content_type != "application/octet-stream" or "Content-Encoding" in request.headers:
        raise ServiceError("unsupported_media_type", "A file should be application/octet-stream, as it is.")
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # that was no answer yet
    while request.body_exists:
        try:
            async with asyncio.timeout(timeout_s):
                piece = await request.content.readany()
        except web.RequestPayloadError:
            raise ServiceError("bad_http", "The body is not framed as HTTP frames one.") from None
        except TimeoutError:
            raise ServiceError("body_timeout", f"Nothing of the body came for {timeout_s:g} s.") from None
        if not piece:
            return
        yield piece


def answer(value: JsonObject, *, status: int = 200, content_type: str = "application/json") -> web.Response:
    """Spell one JSON answer; text that has no UTF-8 form, as some file names, loses only those characters."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return web.Response(
        body=text.encode("utf-8", "replace"),
        status=status,
        content_type=content_type,
        headers=SECURITY_HEADERS,
    )


def file_answer(path: Path, name: str) -> web.FileResponse:
    """Answer with a file to be saved, never to be shown: whatever it holds was made by somebody else's task."""
    headers = {
        **SECURITY_HEADERS,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Type": "application/octet-stream",
    }
    return web.FileResponse(path, headers=headers)


def problem(error: ServiceError) -> web.Response:
    """Spell a refusal as a problem document (RFC 9457)."""
    status = HTTPStatus(loopback.http_status(error.code))
    value: JsonObject = {
        "type": f"urn:dispatch:problem:{error.code}",
        "title": status.phrase,
        "status": status.value,
        "detail": error.detail,
        "code": error.code,
        "hint": error.hint or loopback.hint(error.code),
    }
    if error.candidates:
        value["candidates"] = list(error.candidates)
    if error.applied is not None:
        value["applied"] = error.applied
    response = answer(value, status=status.value, content_type="application/problem+json")
    if isinstance(error, MethodNotAllowedError):
        response.headers["Allow"] = error.allowed
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def incident(error: BaseException) -> web.Response:
    """Answer what nobody foresaw, and leave the traceback in the log under the same id."""
    number = secrets.token_hex(4)
    _log.error("incident %s", number, exc_info=error)
    return problem(
        ServiceError("internal", f"The daemon made a mistake; its log says more under incident {number}.")
    )


def refusal_of(error: DispatchError) -> ServiceError:
    """Turn a protocol's refusal that reached the door into one of the service: its words are made for people."""
    code = error.code if error.code in loopback.CODES else "bad_request"
    return ServiceError(code, error.detail)


def _too_large() -> ServiceError:
    return ServiceError("body_too_large", f"A body may have {MESSAGE_BYTES} bytes.")
