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
from dispatch_daemon.adapters.loopback.guard import Caller, Guard
from dispatch_daemon.adapters.loopback.page_routes import SESSIONS
from dispatch_daemon.adapters.loopback.pages import FILES, Pages, page_file
from dispatch_daemon.adapters.loopback.route import Kind, Route
from dispatch_daemon.adapters.loopback.routes import DOWNLOADS, KEY_CHARS, find_route
from dispatch_daemon.ports import DoorService, JsonObject, ServiceError
from dispatch_protocol.errors import DispatchError


class Handler:
    """Answers the requests of one socket."""

    def __init__(
        self,
        service: DoorService,
        guard: Guard,
        watchers: Watchers,
        pages: Pages,
        *,
        over_tcp: bool,
        body_timeout_s: float,
    ) -> None:
        self._service = service
        self._guard = guard
        self._watchers = watchers
        self._pages = pages
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
            caller = self._guard.check_request(
                request, over_tcp=self._over_tcp, open_to_all=_is_open(request)
            )
            return await self._answer(request, caller)
        except ServiceError as error:
            return problem(error)
        except DispatchError as error:
            return problem(refusal_of(error))
        except Exception as error:
            if isinstance(error, ConnectionError) and request.transport is None:
                raise  # the caller has left, and nobody is there to be answered
            return incident(error)

    async def _answer(self, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path in FILES:
            return page_file(request.method, path)
        route, arguments = find_route(request.method, path)
        if caller is Caller.PAGE and not route.page:
            raise ServiceError("page_refused", "The page may not ask this; a program of yours may.")
        if route.method != "GET":
            self._service.require_calm(route.operation)
        if route.query is not None:
            from dispatch_daemon.adapters.loopback.reading import query_arguments

            arguments |= query_arguments(route.query, query)
        match route.kind:
            case Kind.DOWNLOAD:
                return file_answer(*await self._service.download(**arguments))
            case Kind.UPLOAD:
                pieces = read_pieces(request, timeout_s=self._body_timeout_s)
                return answer(await self._service.keep_file(pieces=pieces), status=route.status)
            case Kind.STREAM:
                updates = self._service.subscribe(**arguments)
                return await self._watchers.serve(request, updates, self._guard.still_lets_in)
            case Kind.CALL:
                return await self._call(request, route, arguments)
            case _:
                return await self._own(request, route)

    async def _own(self, request: web.BaseRequest, route: Route) -> web.Response:
        """Answer what the door knows by itself."""
        match route.kind:
            case Kind.HEALTH:
                return answer({"ok": True})
            case Kind.LINK:
                if self._over_tcp:
                    raise ServiceError("socket_only", "A link to the page is made on the Unix socket alone.")
                return answer(self._pages.link(), status=route.status)
            case Kind.SESSION:
                return answer(self._pages.open(**await self._asked(request, route)), status=route.status)
            case Kind.CLOSING:
                return answer(self._pages.close())
            case _:  # the description, the last of its own
                return answer(_description())

    async def _call(self, request: web.BaseRequest, route: Route, arguments: dict[str, Any]) -> web.Response:
        """Call the one method of the service that the route names."""
        arguments |= await self._asked(request, route)
        if route.keyed:
            arguments["idempotency_key"] = _key(request)
        value: JsonObject = await getattr(self._service, route.operation)(**arguments)
        return answer(value, status=route.status)

    async def _asked(self, request: web.BaseRequest, route: Route) -> dict[str, Any]:
        """Read the body, if the route has one, into arguments."""
        if route.body is None:
            return {}
        data = await read_body(request, timeout_s=self._body_timeout_s)
        from dispatch_daemon.adapters.loopback.reading import body_arguments

        return body_arguments(route.body, data)


def _is_open(request: web.BaseRequest) -> bool:
    """Say whether a request needs no token: its address or its body is a secret itself, or nothing is."""
    path = request.raw_path.partition("?")[0]
    if request.method == "GET":
        return path.startswith(DOWNLOADS) or path in FILES
    return request.method == "POST" and path == SESSIONS


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
