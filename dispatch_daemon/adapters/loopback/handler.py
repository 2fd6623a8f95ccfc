"""From a request to its answer: guarded, routed, checked, carried out by one call of the service.

Whatever goes wrong becomes a problem document here. The order matters: nothing of a request is read before the guard
has let its caller in.
"""

from typing import Any

from aiohttp import web

from dispatch_daemon.adapters.loopback.connection import Connection
from dispatch_daemon.adapters.loopback.events import Watchers
from dispatch_daemon.adapters.loopback.exchange import (
    answer,
    file_answer,
    incident,
    problem,
    read_body,
    read_pieces,
    refusal_of,
)
from dispatch_daemon.adapters.loopback.guard import Guard
from dispatch_daemon.adapters.loopback.routes import DOWNLOADS, KEY_CHARS, Kind, Route, find_route
from dispatch_daemon.ports import DoorService, JsonObject, ServiceError
from dispatch_protocol.errors import DispatchError


class Handler:
    """Answers the requests of one socket."""

    def __init__(
        self, service: DoorService, guard: Guard, watchers: Watchers, *, over_tcp: bool, body_timeout_s: float
    ) -> None:
        self._service = service
        self._guard = guard
        self._watchers = watchers
        self._over_tcp = over_tcp
        self._body_timeout_s = body_timeout_s

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; every failure is a problem document."""
        connection = request.protocol
        if isinstance(connection, Connection) and connection.refusal is not None:
            response = problem(connection.refusal)
            response.force_close()
            return response
        try:
            keyed = request.method == "GET" and request.raw_path.startswith(DOWNLOADS)
            self._guard.check_request(request, over_tcp=self._over_tcp, keyed=keyed)
            return await self._answer(request)
        except ServiceError as error:
            return problem(error)
        except DispatchError as error:
            return problem(refusal_of(error))
        except Exception as error:
            if isinstance(error, ConnectionError) and request.transport is None:
                raise  # the caller has left, and nobody is there to be answered
            return incident(error)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        route, arguments = find_route(request.method, path)
        if route.query is not None:
            from dispatch_daemon.adapters.loopback.reading import query_arguments

            arguments |= query_arguments(route.query, query)
        match route.kind:
            case Kind.HEALTH:
                return answer({"ok": True})
            case Kind.DESCRIPTION:
                return answer(_description())
            case Kind.DOWNLOAD:
                return file_answer(*await self._service.download(**arguments))
            case Kind.UPLOAD:
                pieces = read_pieces(request, timeout_s=self._body_timeout_s)
                return answer(await self._service.keep_file(pieces=pieces), status=route.status)
            case Kind.STREAM:
                return await self._watchers.serve(request, self._service.subscribe(**arguments))
            case Kind.CALL:
                return await self._call(request, route, arguments)

    async def _call(self, request: web.BaseRequest, route: Route, arguments: dict[str, Any]) -> web.Response:
        """Call the one method of the service that the route names."""
        if route.body is not None:
            data = await read_body(request, timeout_s=self._body_timeout_s)
            from dispatch_daemon.adapters.loopback.reading import body_arguments

            arguments |= body_arguments(route.body, data)
        if route.keyed:
            arguments["idempotency_key"] = _key(request)
        value: JsonObject = await getattr(self._service, route.operation)(**arguments)
        return answer(value, status=route.status)


def _key(request: web.BaseRequest) -> str | None:
    """Read the `Idempotency-Key`, which makes a retry harmless."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if (
        len(keys) > 1
        or not 0 < len(keys[0]) <= KEY_CHARS
        or not (keys[0].isascii() and keys[0].isprintable())
    ):
        raise ServiceError(
            "bad_request", f"An Idempotency-Key should be 1 to {KEY_CHARS} printable ASCII characters."
        )
    return keys[0]


def _description() -> JsonObject:
    """Describe the door; the description is built only when somebody asks, and imports what only it needs."""
    from dispatch_daemon.adapters.loopback.openapi import describe

    return describe()
