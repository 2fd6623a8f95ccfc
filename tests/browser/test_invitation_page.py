"""An invitation from the mail to the edge: its link in a real browser, its commands typed, and its secret nowhere on the way."""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect

from tests.browser.test_barriers import barriers
from tests.support.chromium import Tab
from tests.support.dispatch_command import Terminal
from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Person
from tests.support.onlooker import Onlooker
from tests.support.patience import poll
from tests.support.signing_broker import SigningBroker, mailed_code

# What a page that wanted the end of its own address would do; each way out has a name of its own.
THIEF = """<script>
const got = encodeURIComponent(location.hash);
fetch("/by-fetch?" + got).catch(() => {});
navigator.sendBeacon("/by-beacon", got);
new Image().src = "/by-image?" + got;
</script>
<script src="/by-script"></script>
<img src="/by-attribute" onerror="fetch('/by-handler?' + encodeURIComponent(location.hash))">
<link rel="stylesheet" href="/by-style"><iframe src="/by-frame"></iframe>"""
INSTALL = "pipx install 'https://example.org/dispatch.whl#<1>'"
_KEPT = ("accounts", "links", "devices", "invitations", "edges", "mails", "users")


@pytest.fixture(scope="module")
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def onlooker() -> Iterator[Onlooker]:
    with Onlooker() as onlooker:
        yield onlooker


@pytest.fixture(scope="module")
def broker(place: Path, sink: MailSink, onlooker: Onlooker) -> Iterator[SigningBroker]:
    """A broker that mails, proves addresses, and is reached through somebody who sees every word."""
    known = (
        "--public-url",
        onlooker.url,
        "--trusted-proxy",
        "127.0.0.1",
        "--log-level",
        "debug",
        "--install",
        INSTALL,
    )
    program = SigningBroker(place, sink, "--signup", "open", *known)
    onlooker.begin(program.start())
    yield program
    program.stop()


@pytest.fixture(scope="module")
def inviter(place: Path, broker: SigningBroker, onlooker: Onlooker, sink: MailSink) -> Iterator[Person]:
    person = Person("alice", place)
    person.daemon.start()
    typed(person, sink, "dispatch", "login", "--broker", onlooker.url, "--email", person.address)
    yield person
    person.daemon.stop()


@pytest.fixture(scope="module")
def invited(inviter: Person) -> dict[str, Any]:
    """Carol's invitation, sent by mail: her person's token, and the link of the page."""
    answer: dict[str, Any] = inviter.do("invite", "carol@example.org")
    assert answer["emailed"] is True
    return answer


def typed(person: Person, sink: MailSink, program: str, *words: str) -> str:
    """Type a command in a terminal, with the code of a mail where one is asked for; returns what was shown."""
    assert program == "dispatch"
    count = len(sink.mails)
    with Terminal(person.home, *words, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0") as terminal:
        if words[0] == "login":
            terminal.expect("Code: ")
            terminal.press(f"{mailed_code(sink, count + 1)}\n")
        assert terminal.end() == 0, terminal.plain
        return terminal.plain


def mail_to(sink: MailSink, address: str) -> EmailMessage:
    found: list[EmailMessage] = poll(
        lambda: [mail for mail in sink.mails if mail["To"] == address], f"a mail to {address} came"
    )
    return found[0]


def kept(broker: SigningBroker, *tables: str) -> list[str]:
    """Return all that the broker knows of people, devices, invitations, edges and mails, or what stands in some tables."""
    with closing(sqlite3.connect(broker.data / "broker.db")) as database:
        return [str(row) for table in tables or _KEPT for row in database.execute(f"SELECT * FROM {table}")]


def in_files(directory: Path, secret: str) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_the_mail_leads_to_the_page_and_its_commands_make_the_edge(
    browser: Browser,
    broker: SigningBroker,
    inviter: Person,
    invited: dict[str, Any],
    onlooker: Onlooker,
    sink: MailSink,
    place: Path,
) -> None:
    secret = invited["token"].rpartition(".")[2]
    mail = mail_to(sink, "carol@example.org")
    [link] = [word for word in mail.get_content().split() if word.startswith("http")]
    assert link == invited["link"]
    poll(lambda: not kept(broker, "mails"), "no mail is owed any more")
    before = kept(broker)

    tab = Tab(browser.new_context(), link)
    page = tab.page
    expect(page.get_by_role("heading")).to_have_text(
        "alice@example.org invites carol@example.org to Dispatch"
    )
    main = page.get_by_role("main")
    expect(main).to_contain_text("lets alice@example.org send tasks to your machine")
    expect(main).to_contain_text("sees only what you choose")
    for _ in range(2):
        page.reload()
    install, login, accept, alone = page.locator("pre").all_inner_texts()
    assert install == INSTALL
    assert alone == accept.replace("TOKEN", invited["invitation_id"])
    expect(main).to_contain_text("each call asks you, and nothing runs a shell")
    assert page.locator("form, input, textarea, button, script, a, img, iframe").count() == 0
    assert not barriers(page)
    assert not tab.troubles()
    assert tab.context.cookies() == []
    tab.context.close()
    assert kept(broker) == before, "looking changes nothing"

    carol = Person("carol", place)
    carol.daemon.start()
    try:
        typed(carol, sink, *shlex.split(login))
        shown = typed(carol, sink, *shlex.split(accept.replace("TOKEN", invited["token"])))
        assert inviter.address in shown
        poll(lambda: edges(carol) == ["active"] == edges(inviter), "both see the edge in force")
    finally:
        carol.daemon.stop()
    assert secret not in mail.as_string()
    passed_nowhere(secret, broker, onlooker)


def passed_nowhere(secret: str, broker: SigningBroker, onlooker: Onlooker) -> None:
    """Nothing that the broker wrote or kept, or that passed on the way to it, holds the secret."""
    assert secret not in broker.log.read_text()
    assert in_files(broker.data, secret) == []
    assert onlooker.record.asked
    everything = [*onlooker.record.asked, *(" ".join(pair) for pair in onlooker.record.headers)]
    assert not [line for line in everything if secret in line]
    assert not [body for body in onlooker.record.said if secret.encode() in body]


def edges(person: Person) -> list[str]:
    return [each["status"] for each in person.do("contacts")["edges"]]


# -- somebody pastes the token behind the link, and the page wants it ------------------------------------


def taken(page: Page, link: str, token: str, *, guarded: bool) -> list[str]:
    """Open the page with a thief in it, under its own policy or under none; what leaves the page is listed, also later."""
    asked: list[str] = []

    def robbed(route: Route) -> None:
        answer = route.fetch()
        headers = {
            name: value
            for name, value in answer.headers.items()
            if guarded or name != "content-security-policy"
        }
        route.fulfill(
            response=answer, headers=headers, body=answer.text().replace("</main>", f"</main>{THIEF}")
        )

    def seen(route: Route) -> None:
        """Stand where a request leaves the browser: what the policy stops never comes here."""
        asked.append(f"{route.request.url} {route.request.post_data}")
        route.fulfill(status=404, body="")

    page.route("**/by-*", seen)
    page.route("**/i/*", robbed)
    answer: Response | None = page.goto(f"{link}#{token}")
    assert answer is not None
    assert answer.ok
    assert page.locator("img").count() == 1, "the thief is in the page"
    return asked


def test_no_script_in_the_page_could_read_or_send_a_token(
    browser: Browser, invited: dict[str, Any], broker: SigningBroker, onlooker: Onlooker
) -> None:
    secret = invited["token"].rpartition(".")[2]
    page = browser.new_page()
    robbed = taken(page, invited["link"], invited["token"], guarded=True)
    # Nor may whatever speaks in the page's name without being a script of it.
    assert page.evaluate("fetch('/by-hand').then(() => 'sent', () => 'stopped')") == "stopped"
    assert robbed == []
    page.close()
    assert not [line for line in onlooker.record.asked if secret in line or "by-hand" in line]
    assert secret not in broker.log.read_text()

    # The control: without the policy it is gone, in every one of these ways.
    page = browser.new_page()
    robbed = taken(page, invited["link"], invited["token"], guarded=False)
    ways = {"by-fetch", "by-beacon", "by-image", "by-handler"}
    poll(
        lambda: page.evaluate("1") and ways <= {way for way in ways for line in robbed if way in line},
        "the thief has sent it in every way",
    )
    assert all(secret in line for line in robbed if any(way in line for way in ways))
    page.close()
