"""The listeners that the helper hands out, as the launcher takes them: each is what it should be, or the run does not start."""

import asyncio
import contextlib
import socket
from collections.abc import Mapping, Sequence

from sandbox.errors import HelperError


async def receive_listeners(
    door: socket.socket, ports: Sequence[int], timeout_s: float
) -> Mapping[int, socket.socket]:
    """Take the listening sockets that were made inside, by their ports there.

    Raises:
        HelperError: Nothing came in time, or what came are not the listeners on the loopback that were ordered.
    """
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(door, came.set)
    try:
        async with asyncio.timeout(timeout_s):
            await came.wait()
    except TimeoutError:
        raise HelperError("helper_silent", "The helper inside handed out nothing.") from None
    finally:
        loop.remove_reader(door)
    with contextlib.ExitStack() as unwanted:
        _, descriptors, _, _ = socket.recv_fds(door, 1, len(ports) + 1)
        came_out = [unwanted.enter_context(socket.socket(fileno=each)) for each in descriptors]
        if len(came_out) != len(ports):
            raise HelperError("helper_untrusted", "The helper inside handed out no listener.")
        for listener, port in zip(came_out, ports, strict=True):
            if not _listens(listener, port):
                raise HelperError(
                    "helper_untrusted", "The helper inside handed out something else than a listener."
                )
            listener.setblocking(False)
        unwanted.pop_all()
    return dict(zip(ports, came_out, strict=True))


def _listens(found: socket.socket, port: int) -> bool:
    """Tell whether a socket listens for streams at this port of a loopback."""
    return (
        found.family == socket.AF_INET
        and found.type == socket.SOCK_STREAM
        and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        and found.getsockname() == ("127.0.0.1", port)
    )
