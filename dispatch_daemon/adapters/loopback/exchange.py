"""One request in, one answer out: bodies read strictly and in time, answers that no page can misuse.

Refusals are problem documents (RFC 9457) with a stable `code`. Nothing that a client sends may end in a 5xx; if
something does, it is our mistake, and the answer carries an incident id that stands in the log beside the traceback.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel, ValidationError

from dispatch_daemon.ports import JsonObject, ServiceError
from dispatch_protocol import loopback
from dispatch_protocol.encoding import loads
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.limits import MESSAGE_BYTES

_log = logging.getLogger(__name__)
_Model = TypeVar("_Model", bound=BaseModel)

# A model's complaint -> code; every other complaint is `invalid`.
_CODES: Final[dict[object, str]] = {
    "string_too_long": "too_long",
    "too_long": "too_long",
    ("task", "too_short"): "empty_task",
}

BODY_TIMEOUT_S: Final = 10.0
QUERY_FIELDS: Final = 16

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


def parse_body(model: type[_Model], data: bytes) -> _Model:
    """Check a body against its model; an empty one counts as an empty object.

    Raises `ServiceError`: `bad_json` for what is not strict JSON, `invalid`, `too_long` or `empty_task` for what the
    model refuses.
    """
    text = data or b"{}"
    try:
        loads(text, max_bytes=MESSAGE_BYTES)
    except MalformedError as error:
        raise ServiceError("bad_json", f"The body cannot be read: {error.detail}.") from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _complaint(error) from None


def parse_query(model: type[_Model], query: str) -> _Model:
    """Check a query against its model; raises `ServiceError`: `bad_request`, or like `parse_body`."""
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=QUERY_FIELDS,
        )
    except ValueError:
        raise ServiceError("bad_request", "The query cannot be read.") from None
    if len(dict(pairs)) != len(pairs):
        raise ServiceError("bad_request", "The query names something twice.")
    try:
        return model.model_validate(dict(pairs))
    except ValidationError as error:
        raise _complaint(error) from None


def answer(value: JsonObject, *, status: int = 200, content_type: str = "application/json") -> web.Response:
    """Spell one JSON answer; text that has no UTF-8 form, as some file names, loses only those characters."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return web.Response(
        body=text.encode("utf-8", "replace"),
        status=status,
        content_type=content_type,
        headers=SECURITY_HEADERS,
    )


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


def _complaint(error: ValidationError) -> ServiceError:
    """Turn the first complaint of a model into one sentence, which never quotes what was sent: it may be a secret."""
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    first = complaints[0]
    place = ".".join(str(part)[:64] for part in first["loc"]) or "body"
    words = first["msg"].removeprefix("Value error, ")
    more = f" ({len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return ServiceError(
        _CODES.get((place, first["type"]), _CODES.get(first["type"], "invalid")), f"{place}: {words}{more}."
    )
