"""A real Chromium under the tests' hands: no network but loopback, nothing kept, every message of its console noted."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

PROGRAM: Final = "/usr/bin/chromium"
REBOUND: Final = "rebound.example"  # a name of somebody else's that suddenly means this machine
_PATIENCE_MS: Final = 20_000 * float(os.environ.get("DISPATCH_TEST_TIME_SCALE", "1"))
# Without these it looks for Google's hosts at every start; `no-sandbox` because root may not have its own.
_FLAGS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start one browser and end it."""
    assert Path(PROGRAM).exists(), "scripts/setup test installs chromium"
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """One open page of somebody's daemon, with what its console said."""

    def __init__(self, context: BrowserContext, link: str) -> None:
        self.context = context
        self.said: list[str] = []
        context.set_default_timeout(_PATIENCE_MS)
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.goto(link)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def show(self, view: str) -> None:
        """Go to a view: `inbox`, `contacts`, `d/ID`."""
        self.page.evaluate("view => { location.hash = `#/${view}`; }", view)

    def troubles(self) -> list[str]:
        """Return what the page complained of: mistakes of ours, and whatever its policy had to stop.

        A refusal of the daemon is an ordinary answer; the browser calls it an error all the same.
        """
        return [line for line in self.said if "the server responded with a status of 4" not in line]
