"""Letting a device in on the broker's page, in a real browser: allowed, refused, usable by everybody, and without a cookie."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_barriers import barriers
from tests.support.chromium import Tab
from tests.support.dispatch_command import Terminal
from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Person
from tests.support.signing_broker import SigningBroker, mailed_code


@pytest.fixture(scope="module")
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def broker(place: Path, sink: MailSink) -> Iterator[SigningBroker]:
    program = SigningBroker(place, sink, "--signup", "open")
    program.start()
    yield program
    program.stop()


@pytest.fixture
def carol(place: Path, request: pytest.FixtureRequest) -> Iterator[Person]:
    person = Person(f"carol-{abs(hash(request.node.name)) % 10_000}", place)
    person.daemon.start()
    yield person
    person.daemon.stop()


def signing_in(person: Person, broker: SigningBroker) -> Terminal:
    line = ("login", "--broker", broker.url, "--no-browser")
    return Terminal(person.home, *line, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0")


def shown_code(terminal: Terminal) -> str:
    terminal.expect("Waiting until")
    found = re.search(r"\b([B-Z]{4}-[B-Z]{4})\b", terminal.plain)
    assert found is not None, terminal.plain
    return found[1]


def test_a_device_is_let_in(browser: Browser, broker: SigningBroker, carol: Person, sink: MailSink) -> None:
    with signing_in(carol, broker) as terminal:
        terminal.expect(f"{broker.url}/login")
        code = shown_code(terminal)
        tab = Tab(browser.new_context(), f"{broker.url}/login")
        page = tab.page
        assert not barriers(page)
        page.get_by_label("Code of the device").fill(code.lower().replace("-", " "))
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("heading")).to_have_text("Is this your device?")
        expect(page.get_by_role("definition").first).to_have_text(code)
        assert not barriers(page)
        count = len(sink.mails)
        page.get_by_label("Your address").fill("carol@example.org")
        page.get_by_role("button", name="Mail me a code").click()
        mailed = mailed_code(sink, count + 1)
        assert code in sink.mails[-1].get_content()
        page.get_by_label("Code of the mail").fill("0000 0000")
        page.get_by_role("button", name="Let this device in").click()
        expect(page.get_by_role("alert")).to_contain_text("4 more times")
        assert not barriers(page)
        page.get_by_label("Code of the mail").fill(mailed)
        page.get_by_role("button", name="Let this device in").click()
        expect(page.get_by_role("heading")).to_have_text("Signed in")
        assert not barriers(page)
        terminal.expect("Signed in as carol@example.org")
        assert terminal.end() == 0
        assert tab.context.cookies() == []
        assert not {code, mailed} & set(page.url.split("/"))
        assert tab.troubles() == []
        tab.context.close()


def test_a_device_of_somebody_else_is_refused(browser: Browser, broker: SigningBroker, carol: Person) -> None:
    with signing_in(carol, broker) as terminal:
        code = shown_code(terminal)
        tab = Tab(browser.new_context(), f"{broker.url}/login")
        tab.page.get_by_label("Code of the device").fill(code)
        tab.page.get_by_role("button", name="Go on").click()
        tab.page.get_by_role("button", name="refuse it").click()
        expect(tab.page.get_by_role("heading")).to_have_text("Refused")
        terminal.expect("Not signed in")
        assert terminal.end() == 4
        tab.context.close()
