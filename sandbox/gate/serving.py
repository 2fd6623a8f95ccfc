"""How a gate serves HTTP to whatever is inside: connections one by one, each counted, and bodies bounded in size and time."""

import asyncio
import socket
from typing import TYPE_CHECKING

from sandbox.gate.refusal import GateRefusalError, malformed

if TYPE_CHECKING:
    from aiohttp import web

CONNECTIONS = 64
REQUEST_S = 60.0


async def accept(listener: socket.socket, server: "web.Server") -> None:
    """Take connections one by one, each counted before the next; one too many is closed at once.

    Nothing waits between taking one and holding it, so none is lost when this is cancelled.
    """
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listener, ready.set)
    try:
        while True:
            ready.clear()
            await ready.wait()
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):  # it gave up while it waited
                continue
            await _hand_over(connection, server)
    finally:
        loop.remove_reader(listener)


async def _hand_over(connection: socket.socket, server: "web.Server") -> None:
    if len(server.connections) >= CONNECTIONS:
        connection.close()
        return
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().connect_accepted_socket(server, connection)
    except BaseException:
        connection.close()
        raise


async def body_of(request: "web.BaseRequest", most_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        GateRefusalError: `gate_too_large`, `gate_slow` or `gate_malformed`.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(REQUEST_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most_bytes:
                    raise GateRefusalError("gate_too_large", "the request is too large", 413)
    except TimeoutError:
        raise GateRefusalError("gate_slow", "the request did not come in time", 408) from None
    except (OSError, ValueError) as error:
        malformed(f"the body cannot be read: {type(error).__name__}")
    return bytes(body)
