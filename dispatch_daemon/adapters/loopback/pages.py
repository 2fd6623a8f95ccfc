"""The page at the door: its files, and the links and sessions by which this user's browser gets in.

The files hold no secret, so whoever may reach the door may have them. They are named one by one: no name from a request
ever becomes a path. Nothing in them comes from elsewhere and no script stands in a page, which the policy enforces.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from aiohttp import web

from dispatch_daemon.adapters.loopback.exchange import SECURITY_HEADERS, MethodNotAllowedError
from dispatch_daemon.adapters.loopback.sessions import PageSessions
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.timestamps import format_time

_PLACE: Final = "dispatch_daemon.adapters.web"
_SCRIPT: Final = "text/javascript"
_MODULES: Final = (
    *(
        "api",
        "app",
        "artifact",
        "compose",
        "contacts",
        "deciding",
        "diff",
        "dom",
        "giving",
        "handing",
        "help",
        "lists",
        "machine",
    ),
    *("question", "reaching", "said", "scopes", "settings", "store", "thread", "trace", "undoing", "words"),
)
# address -> (file, media type)
FILES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "/": ("index.html", "text/html"),
        "/icon.svg": ("icon.svg", "image/svg+xml"),
        "/style.css": ("style.css", "text/css"),
        **{f"/{name}.js": (f"{name}.js", _SCRIPT) for name in _MODULES},
    }
)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Pages:
    """Opens and closes pages; `url` returns the door's own address."""

    def __init__(self, sessions: PageSessions, url: Callable[[], str]) -> None:
        self._sessions = sessions
        self._url = url

    def link(self) -> JsonObject:
        """Make a link; the code stands in its fragment, which a browser sends nowhere."""
        code, until_ms = self._sessions.make_link()
        return {"url": f"{self._url()}/#code={code}", "expires_at": format_time(until_ms)}

    def open(self, *, code: str) -> JsonObject:
        """Open a page with a link's code; raises ServiceError `link_over`."""
        token, until_ms = self._sessions.open(code)
        return {"token": token, "expires_at": format_time(until_ms)}

    def close(self) -> JsonObject:
        """Close every page."""
        return {"closed": self._sessions.end()}


def page_file(method: str, path: str) -> web.Response:
    """Answer with one file of the page; raises ServiceError `method_not_allowed`."""
    if method != "GET":
        raise MethodNotAllowedError(["GET"])
    name, media_type = FILES[path]
    return web.Response(body=_content(name), content_type=media_type, charset="utf-8", headers=_HEADERS)


@cache
def _content(name: str) -> bytes:
    """Return one file as it was installed; an idle daemon holds none of them."""
    return files(_PLACE).joinpath(name).read_bytes()
