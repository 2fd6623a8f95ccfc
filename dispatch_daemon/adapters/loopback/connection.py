"""One connection of the door: its caller is judged when it is made, and it cannot hold the door open for nothing.

Behind aiohttp's connection class, for two things that its server leaves to others: refusing a foreign process before
its request is handled, and answering bytes that are not HTTP with a problem document like any other refusal.
"""

import asyncio
import os
import socket
from typing import Final

from aiohttp import web

from dispatch_daemon.adapters.loopback.exchange import incident, problem
from dispatch_daemon.adapters.loopback.guard import Guard
from dispatch_daemon.ports import ServiceError

CONNECTIONS: Final = 256  # of one socket: more than one person's programs need
STRANGERS: Final = 16  # of other users, who get an answer but cannot crowd anybody out
IDLE_S: Final = 15.0  # between requests, and for the head of one to arrive
LINE_BYTES: Final = 8 * 1024
HEADER_BYTES: Final = 8 * 1024


class Connection(web.RequestHandler):
    """A connection that knows whether its other end may speak."""

    __slots__ = ("_guard", "_server", "refusal")

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop, guard: Guard) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=IDLE_S,
            max_line_size=LINE_BYTES,
            max_field_size=HEADER_BYTES,
            auto_decompress=False,
        )
        self._server = server
        self._guard = guard
        self.refusal: ServiceError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Judge the caller once; where too many are connected, hang up."""
        super().connection_made(transport)
        # A duplicate, because event loops differ in what their own socket objects can be asked.
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as end:
            try:
                self._guard.check_caller(end)
            except ServiceError as error:
                self.refusal = error
        strangers = [
            known for known in self._server.connections if isinstance(known, Connection) and known.refusal
        ]
        if len(self._server.connections) > CONNECTIONS or (self.refusal and len(strangers) > STRANGERS):
            self.force_close()

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, time: float | None) -> None:
        """Log no request: what matters is in the journal, and paths hold the ids of what people do."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or what failed below the handler, with a problem document, and close."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("nobody is there to be answered, or an answer has begun")
        if status == 400:
            response = problem(
                self.refusal or ServiceError("bad_http", "This is not HTTP as this door reads it.")
            )
        else:
            response = incident(exc or RuntimeError(message or f"status {status}"))
        response.force_close()
        return response
