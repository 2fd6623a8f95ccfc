"""What is checked before a request is even read: who connects, which name they dialled, which page sent them.

Any web page may send requests to 127.0.0.1, and any name may be made to resolve to it. So the door answers only to
its own exact names, only to pages it served itself, only to the user it belongs to, and only with the token that
this user alone can read. Comparing `Host` with a prefix, or with `Origin`, would stop none of this.
"""

import hmac
import os
import socket
from enum import StrEnum
from typing import Final

from aiohttp import web

from dispatch_daemon.adapters.loopback.peer import peer_uid
from dispatch_daemon.adapters.loopback.sessions import PageSessions
from dispatch_daemon.ports import ServiceError
from dispatch_protocol.errors import LocalError

TOKEN_NAME: Final = "local.token"


class Caller(StrEnum):
    """Whose words a request is: a program of this user, a page that was opened by a link, or anybody's browser."""

    PROGRAM = "program"
    PAGE = "page"
    ANYBODY = "anybody"


class Guard:
    """Refuses whoever is not this user, speaking to this door, by its name.

    Every refusal is a `ServiceError`: `other_user`, `wrong_host`, `wrong_origin` or `token_wrong`.
    """

    def __init__(self, token: str, sessions: PageSessions, *, port: int) -> None:
        self._token = token.encode()
        self._sessions = sessions
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    def check_caller(self, connection: socket.socket) -> None:
        """Refuse a process of another user; root is another user too, unless we are root."""
        try:
            uid = peer_uid(connection)
        except (LocalError, OSError) as error:
            raise ServiceError("other_user", "The system cannot say whose connection this is.") from error
        if uid is not None and uid != os.geteuid():
            raise ServiceError("other_user", "This door belongs to another user of this machine.")

    def check_request(self, request: web.BaseRequest, *, over_tcp: bool, open_to_all: bool = False) -> Caller:
        """Refuse a wrong name, a foreign page or a wrong token; return who asks.

        On the Unix socket the token may be absent, and where nothing is given away that a token would protect
        (`open_to_all`): the files of the page, and addresses and codes that are secrets themselves.
        """
        headers = request.headers
        if over_tcp and not self._named_exactly(request):
            raise ServiceError(
                "wrong_host", "This door answers only to 127.0.0.1 and localhost with its own port."
            )
        if any(origin not in self._origins for origin in headers.getall("Origin", [])):
            raise ServiceError("wrong_origin", "Another page may not use this door.")
        if headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
            raise ServiceError("wrong_origin", "Another page may not use this door.")
        return self._caller(request, over_tcp=over_tcp, open_to_all=open_to_all)

    def still_lets_in(self, request: web.BaseRequest) -> bool:
        """Whether somebody who was let in may go on reading: the session of a page may have ended since."""
        given = request.headers.get("Authorization")
        if given is None:
            return True
        token = given.partition(" ")[2].strip()
        return self._is_ours(token) or self._sessions.stands(token)

    def _is_ours(self, token: str) -> bool:
        """Compare in constant time, as bytes: a header may hold anything, and text comparison refuses non-ASCII."""
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token)

    def _named_exactly(self, request: web.BaseRequest) -> bool:
        """Whether exactly one `Host` is given and it is one of ours, port included."""
        hosts = request.headers.getall("Host", [])
        return len(hosts) == 1 and hosts[0].lower() in self._hosts

    def _caller(self, request: web.BaseRequest, *, over_tcp: bool, open_to_all: bool) -> Caller:
        given = request.headers.getall("Authorization", [])
        if not given and not over_tcp:
            return Caller.PROGRAM
        if not given and open_to_all:
            return Caller.ANYBODY
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() == "bearer":
            if self._is_ours(token.strip()):
                return Caller.PROGRAM
            if self._sessions.holds(token.strip()):
                return Caller.PAGE
        raise ServiceError(
            "token_wrong",
            f"This door needs the token of its home, {TOKEN_NAME}, as a bearer token; a page needs a new link.",
            hint="dispatch ui",
        )
