"""The routes of the page's own affairs: how it gets in and ends, and the settings that it shows."""

from typing import Final

from dispatch_daemon.adapters.loopback.route import Kind, Route

SESSIONS: Final = "/v1/page/sessions"

PAGE: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/v1/settings",
        "settings",
        "Every setting, and where its value came from.",
        "Settings",
        page=True,
    ),
    Route(
        "POST",
        "/v1/settings",
        "change_setting",
        "Store a setting for the daemon's next start, if it is one that may be changed here.",
        "Setting",
        body="SettingChange",
        page=True,
    ),
    Route(
        "POST",
        "/v1/page/links",
        "page_link",
        "Make a link that opens the page once, within a minute; on the Unix socket alone.",
        "PageLink",
        body="Nothing",
        status=201,
        kind=Kind.LINK,
    ),
    Route(
        "POST",
        SESSIONS,
        "page_session",
        "Open the page: the code of a link becomes a token. The code is a secret; no other token is needed.",
        "PageSession",
        body="PageCode",
        status=201,
        kind=Kind.SESSION,
    ),
    Route(
        "DELETE",
        SESSIONS,
        "close_pages",
        "Close every page of this daemon.",
        "PagesClosed",
        kind=Kind.CLOSING,
        page=True,
    ),
)
