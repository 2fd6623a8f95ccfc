"""Letting a device in by way of an OpenID provider: a real one, in a real browser, from the terminal to the terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_barriers import barriers
from tests.browser.test_login_page import shown_code, signing_in
from tests.support.chromium import Tab
from tests.support.neighbourhood import Person
from tests.support.oidc_server import OidcServer
from tests.support.onlooker import Onlooker
from tests.support.signing_broker import SigningBroker

DAVE = {"sub": "dave", "email": "dave@example.org", "email_verified": True}
MALLORY = {"sub": "mallory", "email": "dave@example.org", "email_verified": False}


@pytest.fixture(scope="module")
def provider(place: Path) -> Iterator[OidcServer]:
    server = OidcServer(place, DAVE, MALLORY)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["", "/dispatch"], ids=["a host of its own", "below a path"])
def provided(place: Path, provider: OidcServer, request: pytest.FixtureRequest) -> Iterator[SigningBroker]:
    """A broker behind a proxy, which has a host of its own or one path of it."""
    directory = place / f"provided{request.param.replace('/', '-')}"
    directory.mkdir()
    with Onlooker(request.param) as proxy:
        known = ("--public-url", proxy.url, "--trusted-proxy", "127.0.0.1")
        program = SigningBroker(directory, None, "--signup", "open", *known, *provider.arguments)
        proxy.begin(program.start())
        program.url = proxy.url
        yield program
        program.stop()


@pytest.fixture
def dave(place: Path, request: pytest.FixtureRequest) -> Iterator[Person]:
    person = Person(f"dave-{abs(hash(request.node.name)) % 10_000}", place)
    person.daemon.start()
    yield person
    person.daemon.stop()


def test_a_device_is_let_in_by_the_word_of_a_provider(
    browser: Browser, provided: SigningBroker, dave: Person, provider: OidcServer
) -> None:
    host = provider.issuer.removeprefix("http://")
    with signing_in(dave, provided) as terminal:
        code = shown_code(terminal)
        tab = Tab(browser.new_context(), f"{provided.url}/login")
        page = tab.page
        page.get_by_label("Code of the device").fill(code)
        page.get_by_role("button", name="Go on", exact=True).click()
        expect(page.get_by_label("Your address")).to_have_count(0)
        assert not barriers(page)

        page.get_by_role("button", name=f"Go on with {host}").click()
        page.get_by_role("button", name="mallory").click()
        expect(page.get_by_role("alert")).to_contain_text("has not verified that address")
        assert not barriers(page)

        page.get_by_role("button", name=f"Go on with {host}").click()
        page.get_by_role("button", name="dave").click()
        expect(page.get_by_role("heading")).to_have_text("Let this device in?")
        expect(page.locator("strong")).to_have_text("dave@example.org")
        expect(page.get_by_role("definition").first).to_have_text(code)
        assert not barriers(page)
        page.get_by_role("button", name="Let this device in as dave@example.org").click()
        expect(page.get_by_role("heading")).to_have_text("Signed in")
        terminal.expect("Signed in as dave@example.org")
        assert terminal.end() == 0
        assert [cookie["name"] for cookie in tab.context.cookies(provided.url)] == []
        assert [line for line in tab.troubles() if provided.url in line] == []
        tab.context.close()
    assert dave.do("whoami")["user"] == "dave@example.org"
