"""Sessions of the page: a link that works once becomes a token that lives in one tab, and nowhere else.

Cookies are shared across the ports of 127.0.0.1, so there are none. A link is made over the Unix socket, which only this
user can reach; its code stands in the fragment, which no browser sends and no log holds. Everything lives in this
process alone: when the daemon ends, every page has to be opened anew.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatch_daemon.ports import ServiceError

LINK_MS: Final = 60_000
IDLE_MS: Final = 8 * 3_600_000
LIFE_MS: Final = 24 * 3_600_000
LINKS: Final = 16
SESSIONS: Final = 32
_CODE_BYTES: Final = 16
_TOKEN_BYTES: Final = 32


@dataclass(slots=True)
class _Link:
    """A link that was made: until when it works, and the session that came of it once it was used."""

    until_ms: int
    session: bytes | None = None


@dataclass(slots=True)
class _Session:
    """An open page: when it ends whatever it does, and when it was last heard of."""

    until_ms: int
    heard_ms: int


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _nothing() -> None:
    """Do nothing: nobody wants to know."""


class PageSessions:
    """The links and sessions of one door; only digests of codes and tokens are kept."""

    def __init__(self, clock: Callable[[], int] = _wall_ms, *, ended: Callable[[], None] = _nothing) -> None:
        """Begin without any; `ended` is called after a session has ended before its time."""
        self._clock = clock
        self._ended = ended
        self._links: dict[bytes, _Link] = {}
        self._sessions: dict[bytes, _Session] = {}

    def make_link(self) -> tuple[str, int]:
        """Return the code of a new link and when it ends (ms since 1970); beyond `LINKS` the oldest works no more."""
        self._forget()
        while len(self._links) >= LINKS:
            del self._links[next(iter(self._links))]
        code, until_ms = secrets.token_urlsafe(_CODE_BYTES), self._clock() + LINK_MS
        self._links[_digest(code)] = _Link(until_ms)
        return code, until_ms

    def open(self, code: str) -> tuple[str, int]:
        """Turn a code into a session's token and its end (ms since 1970).

        A code that comes a second time was seen by two: the session that it opened ends as well.

        Raises:
            ServiceError: `link_over`, it was used, is too old, or never was one.
        """
        self._forget()
        link = self._links.get(_digest(code))
        if link is None or link.session is not None:
            if link is not None and link.session is not None:
                self._sessions.pop(link.session, None)
                self._ended()
            raise ServiceError("link_over", "This link was used already, or its minute is over.")
        while len(self._sessions) >= SESSIONS:
            del self._sessions[next(iter(self._sessions))]
            self._ended()
        token, now_ms = secrets.token_urlsafe(_TOKEN_BYTES), self._clock()
        link.session = _digest(token)
        self._sessions[link.session] = _Session(now_ms + LIFE_MS, now_ms)
        return token, now_ms + LIFE_MS

    def holds(self, token: str) -> bool:
        """Whether this is the token of an open session; asking is being heard of."""
        found = self._session(token)
        if found is not None:
            found.heard_ms = self._clock()
        return found is not None

    def stands(self, token: str) -> bool:
        """Whether this is still the token of an open session; a stream that goes on is no word of anybody's."""
        return self._session(token) is not None

    def _session(self, token: str) -> _Session | None:
        self._forget()
        asked, found = _digest(token), None
        for digest, session in self._sessions.items():  # all of them, so that the time tells nothing
            if hmac.compare_digest(digest, asked):
                found = session
        return found

    def end(self) -> int:
        """End every session and every link; return how many pages were open."""
        count = len(self._sessions)
        self._links.clear()
        self._sessions.clear()
        self._ended()
        return count

    def _forget(self) -> None:
        """Drop what time has ended. A used link is remembered for as long as it could have been used."""
        now_ms = self._clock()
        self._links = {key: link for key, link in self._links.items() if now_ms < link.until_ms}
        self._sessions = {
            key: session
            for key, session in self._sessions.items()
            if now_ms < session.until_ms and now_ms < session.heard_ms + IDLE_MS
        }


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
