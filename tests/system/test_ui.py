"""`dispatch ui`: from a command to an open page and to its end, with the real programs."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispatch_command import Terminal, dispatch
from tests.support.neighbourhood import Neighbourhood


def ask(url: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
    """Ask as a page of the door's own address does."""
    headers = {"Content-Type": "application/json", "Origin": url, "Sec-Fetch-Site": "same-origin"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}{path}", data, headers)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def opened(link: str) -> tuple[str, str]:
    """Open a page by its link; return the door's address and the page's token."""
    url, _, code = link.partition("/#code=")
    status, value = ask(url, "/v1/page/sessions", {"code": code})
    assert status == 201, value
    return url, value["token"]


@pytest.fixture
def browser(place: Path) -> Path:
    """A browser that only writes down what it was asked to open."""
    program = place / "browser"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {place}/opened\n')
    program.chmod(0o755)
    return program


def test_a_page_is_opened_used_and_closed(neighbourhood: Neighbourhood, place: Path, browser: Path) -> None:
    bob = neighbourhood.bob
    shown = dispatch(bob.home, "ui", BROWSER=str(browser))
    assert (shown.code, shown.out) == (0, "The page opens in your browser.\n")
    url, token = opened((place / "opened").read_text().strip())
    assert ask(url, "/v1/whoami", token=token)[1]["user"] == bob.address
    assert ask(url, "/v1/daemon/stop", {}, token=token)[0] == 403
    assert bob.do("ui", "--end") == {"closed": 1}
    assert ask(url, "/v1/whoami", token=token)[0] == 401


def test_without_a_display_the_link_is_printed_with_the_way_there(neighbourhood: Neighbourhood) -> None:
    bob = neighbourhood.bob
    nothing = {"BROWSER": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    lines = dispatch(bob.home, "ui", **nothing).out.splitlines()
    port = bob.daemon.url.rpartition(":")[2]
    assert f"ssh -L {port}:127.0.0.1:{port} THIS_MACHINE" in lines[1]
    assert opened(lines[-1].strip())[0] == bob.daemon.url
    only = dispatch(bob.home, "ui", "--print", **nothing).out
    assert opened(only.strip())[0] == bob.daemon.url
    assert opened(bob.do("ui")["url"])[0] == bob.daemon.url
    with Terminal(bob.home, "ui", **nothing) as terminal:
        assert terminal.end() == 0
        assert "#code=" in terminal.plain


def test_a_browser_that_does_not_start_is_said(neighbourhood: Neighbourhood, place: Path) -> None:
    broken = place / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    ended = dispatch(neighbourhood.bob.home, "ui", BROWSER=str(broken), DISPLAY="", WAYLAND_DISPLAY="")
    assert ended.code == 1
    assert "dispatch ui --print" in ended.err


def test_no_link_is_ever_in_the_log_or_the_home(neighbourhood: Neighbourhood) -> None:
    bob = neighbourhood.bob
    link = bob.do("ui")["url"]
    _, token = opened(link)
    code = link.partition("=")[2]
    for path in bob.home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert code.encode() not in data
            assert token.encode() not in data
    assert code not in bob.daemon.log.read_text()


def test_a_daemon_that_does_not_run_is_started_or_missed(place: Path) -> None:
    home = place / "home"
    missed = dispatch(home, "ui", "--no-start", "--json")
    assert (missed.code, missed.json["error"]["code"]) == (5, "daemon_not_running")
