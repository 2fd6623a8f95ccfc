"""A broker that has one path of a host and no more: whatever is made from its address stays below that path, in a browser too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_invitation_page import typed
from tests.browser.test_login_page import shown_code
from tests.support.chromium import Tab
from tests.support.dispatch_command import Terminal
from tests.support.machines import bought, pair
from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Person
from tests.support.onlooker import Onlooker
from tests.support.patience import poll
from tests.support.signing_broker import SigningBroker, mailed_code

BELOW = "/dispatch"


@pytest.fixture
def onlooker() -> Iterator[Onlooker]:
    """A proxy that passes on what is asked below the path, without it; the rest of the host is somebody else's."""
    with Onlooker(BELOW) as onlooker:
        yield onlooker


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def broker(place: Path, sink: MailSink, onlooker: Onlooker) -> Iterator[SigningBroker]:
    known = ("--public-url", f"{onlooker.url}/", "--trusted-proxy", "127.0.0.1")
    program = SigningBroker(place, sink, "--signup", "open", *known)
    onlooker.begin(program.start())
    yield program
    program.stop()


@pytest.fixture
def people(place: Path) -> Iterator[list[Person]]:
    people = [Person(name, place) for name in ("anne", "ben")]
    for person in people:
        person.daemon.start()
    yield people
    for person in people:
        person.daemon.stop()


def let_in(browser: Browser, person: Person, onlooker: Onlooker, sink: MailSink) -> None:
    """Sign a device in on the page, through each of its forms."""
    line = ("login", "--broker", f"{onlooker.url}/", "--no-browser")
    with Terminal(person.home, *line, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0") as terminal:
        terminal.expect(f"{onlooker.url}/login")
        code = shown_code(terminal)
        tab = Tab(browser.new_context(), f"{onlooker.url}/login")
        page = tab.page
        page.get_by_label("Code of the device").fill(code)
        page.get_by_role("button", name="Go on").click()
        count = len(sink.mails)
        page.get_by_label("Your address").fill(person.address)
        page.get_by_role("button", name="Mail me a code").click()
        mailed = mailed_code(sink, count + 1)
        page.get_by_label("Code of the mail").fill("0000 0000")
        page.get_by_role("button", name="Let this device in").click()
        expect(page.get_by_role("alert")).to_contain_text("4 more times")
        page.get_by_label("Code of the mail").fill(mailed)
        page.get_by_role("button", name="Let this device in").click()
        expect(page.get_by_role("heading")).to_have_text("Signed in")
        assert tab.troubles() == []
        tab.context.close()
        assert terminal.end() == 0, terminal.plain


def test_everything_made_from_the_address_stays_below_its_path(
    browser: Browser,
    broker: SigningBroker,
    onlooker: Onlooker,
    sink: MailSink,
    people: list[Person],
    place: Path,
    repository: Path,
) -> None:
    anne, ben = people
    typed(anne, sink, "dispatch", "login", "--broker", f"{onlooker.url}/", "--email", anne.address)
    let_in(browser, ben, onlooker, sink)

    invited = anne.do("invite", ben.address)
    assert invited["link"].startswith(f"{onlooker.url}/i/")
    assert f"{BELOW}/" in invited["token"]
    tab = Tab(browser.new_context(), invited["link"])
    expect(tab.page.get_by_role("main")).to_contain_text(f"dispatch login --broker {onlooker.url} --email")
    assert tab.troubles() == []
    tab.context.close()
    ben.do("accept-invitation", invited["token"], "--profile", "edit", "--paths", f"{repository}:ro")
    poll(lambda: anne.do("contacts")["edges"][0]["status"] == "active", "the edge is in force")

    attached = place / "spec.md"
    attached.write_text("the spec")
    task = anne.do("send", ben.address, "Read it", "--file", str(attached))["dispatch_id"]
    ben.receives(task)
    poll(lambda: ben.try_("accept", task, "--by-hand").code == 0, "the file has come and it can be accepted")
    ben.do("complete", task, "--text", "Done.")
    anne.until(task, "completed")

    with bought("laptop", place, anne.address) as laptop:
        pair(anne, laptop)
        assert laptop.do("whoami")["broker"] == onlooker.url
    asked = onlooker.record.asked
    assert {f"{BELOW}/login", f"{BELOW}/login/mail", f"{BELOW}/v1/session"} <= set(asked)
    assert [path for path in asked if path.startswith(f"{BELOW}/v1/blobs/")]
    assert [path for path in asked if not path.startswith(f"{BELOW}/") and path != "/favicon.ico"] == []
