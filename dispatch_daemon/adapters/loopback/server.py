"""The door itself: it binds the two sockets, lets the right callers in, and closes without cutting anyone short.

The Unix socket comes first and carries the command line; TCP on 127.0.0.1 is for the browser. A port that somebody
else holds is not fought for: the next one is taken, recorded in `config.json` and said. aiohttp's low-level server
is used without its router: the one table of `routes` decides.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Final

from aiohttp import web

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.loopback.connection import Connection
from dispatch_daemon.adapters.loopback.events import PING_S, WRITE_TIMEOUT_S, Watchers
from dispatch_daemon.adapters.loopback.exchange import BODY_TIMEOUT_S
from dispatch_daemon.adapters.loopback.guard import Guard
from dispatch_daemon.adapters.loopback.handler import Handler
from dispatch_daemon.adapters.loopback.pages import Pages
from dispatch_daemon.adapters.loopback.sessions import PageSessions
from dispatch_daemon.adapters.settings import read_config, write_config
from dispatch_daemon.ports import DoorService
from dispatch_protocol import loopback

_log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
PORTS_TRIED: Final = 20
BACKLOG: Final = 512
DRAIN_S: Final = 5.0


class Door:
    """The daemon's local door; `start` opens it, `stop` closes it, both once.

    `port` 0 takes any free one. `ping_s`, `write_timeout_s` and `body_timeout_s` bound slow clients.
    """

    def __init__(
        self,
        service: DoorService,
        *,
        home: Path,
        port: int,
        token: str,
        ping_s: float = PING_S,
        write_timeout_s: float = WRITE_TIMEOUT_S,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._service = service
        self._home = home
        self._wanted_port = port
        self._token = token
        self._body_timeout_s = body_timeout_s
        self._watchers = Watchers(ping_s=ping_s, write_timeout_s=write_timeout_s)
        self._sessions = PageSessions(ended=self._watchers.look_again)
        self._listeners: list[asyncio.Server] = []
        self._servers: list[web.Server] = []
        self.port = 0
        self.socket = loopback.socket_path(str(home))

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Bind both sockets and answer from then on; what differs from the rule is recorded in `config.json`.

        Raises `HomeError` (`home_unusable`) if the socket cannot be made.
        """
        tcp = bind_tcp(self._wanted_port)
        try:
            unix = bind_unix(self.socket)
        except HomeError:
            tcp.close()
            raise
        self.port = tcp.getsockname()[1]
        guard = Guard(self._token, self._sessions, port=self.port)
        for bound, over_tcp in ((unix, False), (tcp, True)):
            await self._listen(bound, guard, over_tcp=over_tcp)
        if self._wanted_port not in {0, self.port}:
            _log.warning("port %d is taken; the door is at %s", self._wanted_port, self.url)
        self._record()

    async def stop(self) -> None:
        """Stop listening, end every watch, let what is being answered end within `DRAIN_S`, and remove the socket."""
        for listener in self._listeners:
            listener.close()
        self._watchers.close()
        for server in self._servers:
            server.pre_shutdown()
        await asyncio.gather(*(server.shutdown(DRAIN_S) for server in self._servers))
        self._listeners.clear()
        self._servers.clear()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)

    def end_pages(self) -> None:
        """End every open page, and every link to one."""
        self._sessions.end()

    async def _listen(self, bound: socket.socket, guard: Guard, *, over_tcp: bool) -> None:
        handler = Handler(
            self._service,
            guard,
            self._watchers,
            Pages(self._sessions, lambda: self.url),
            over_tcp=over_tcp,
            body_timeout_s=self._body_timeout_s,
        )
        server = web.Server(handler)
        self._servers.append(server)
        loop = asyncio.get_running_loop()

        def accept() -> Connection:
            return Connection(server, loop, guard)

        if over_tcp:
            self._listeners.append(await loop.create_server(accept, sock=bound, backlog=BACKLOG))
        else:
            self._listeners.append(await loop.create_unix_server(accept, sock=bound, backlog=BACKLOG))

    def _record(self) -> None:
        """Write down a socket or port that a reader of the home could not guess; remove what no longer holds."""
        plain = str(self._home / loopback.SOCKET_NAME)
        facts = {
            "socket": None if self.socket == plain else self.socket,
            "door": None if self.port == self._wanted_port else self.url,
        }
        kept = read_config(self._home)
        if any(kept.get(name) != value for name, value in facts.items()):
            write_config(self._home, facts)


def bind_unix(path: str) -> socket.socket:
    """Bind the socket with mode 0600 from its first moment, replacing one that a dead daemon left.

    The caller holds the home's lock, so a socket that is there belongs to nobody. Raises `HomeError`.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_way(path)
        # The mask, not a later chmod: between the two, anybody could connect.
        mask = os.umask(0o177)
        try:
            bound.bind(path)
        finally:
            os.umask(mask)
    except OSError as error:
        bound.close()
        raise HomeError("home_unusable", f"{path} cannot be bound: {error.strerror or error}.") from error
    except HomeError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def _make_way(path: str) -> None:
    """Remove a dead socket from a directory where nobody else could have put one in its place, or move ours."""
    directory = os.path.dirname(path)
    found = os.stat(directory)
    private = found.st_uid == os.geteuid() and not found.st_mode & 0o077
    if not private and not found.st_mode & stat.S_ISVTX:
        raise HomeError(
            "home_unusable", f"{directory} can be changed by other users.", hint=f"ls -ld {directory}"
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise HomeError("home_unusable", f"{path} is in the way and is no socket.", hint=f"ls -l {path}")
        os.unlink(path)


def bind_tcp(wanted: int) -> socket.socket:
    """Bind the wanted port of 127.0.0.1, or one of the next, or any."""
    ports = [*range(wanted, min(wanted + PORTS_TRIED, 65_536)), 0] if wanted else [0]
    for port in ports:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # A port of our own that was used a moment ago is free again; one that somebody listens on is not.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
            bound.listen(BACKLOG)
        except OSError as error:
            bound.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise HomeError(
                    "home_unusable", f"{HOST} cannot be bound: {error.strerror or error}."
                ) from error
            continue
        bound.setblocking(False)
        return bound
    raise HomeError("home_unusable", f"No port of {HOST} is free.", hint="dispatch-daemon run --local-port 0")
