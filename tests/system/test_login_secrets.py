"""Three ways to sign in, seen by whoever reads every log, file, address, process list and screen: no secret stands there."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dispatch_command import Terminal
from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Person
from tests.support.oidc_server import OidcServer
from tests.support.onlooker import Onlooker
from tests.support.page_visitor import Browser
from tests.support.patience import poll
from tests.support.signing_broker import SigningBroker, mailed_code

CAROL = {"sub": "carol", "email": "carol@example.org", "email_verified": True}


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def onlooker() -> Iterator[Onlooker]:
    with Onlooker() as onlooker:
        yield onlooker


@pytest.fixture
def provider(place: Path) -> Iterator[OidcServer]:
    server = OidcServer(place, CAROL)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def broker(place: Path, sink: MailSink, onlooker: Onlooker, provider: OidcServer) -> Iterator[SigningBroker]:
    known = ("--public-url", onlooker.url, "--trusted-proxy", "127.0.0.1", "--log-level", "debug")
    program = SigningBroker(place, sink, "--signup", "open", *known, *provider.arguments)
    onlooker.begin(program.start())
    yield program
    program.stop()


def on_terminal(person: Person, url: str, *more: str) -> Terminal:
    line = ("login", "--broker", url, *more)
    return Terminal(person.home, *line, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0")


def shown(terminal: Terminal) -> dict[str, str]:
    terminal.expect("Waiting until")
    found = re.search(r"\b([B-Z]{4}-[B-Z]{4})\b", terminal.plain)
    assert found is not None, terminal.plain
    return {"user_code": found[1]}


async def by_mail(url: str, begun: dict[str, str], address: str, sink: MailSink) -> None:
    async with Browser(url) as browser:
        assert (await browser.post("mail", begun, email=address))[0] == 200
        code = await asyncio.to_thread(mailed_code, sink, 2)
        assert "Signed in" in (await browser.post("allow", begun, code=code))[1]


async def by_provider(url: str, begun: dict[str, str], visited: list[str]) -> None:
    async with Browser(url) as browser:
        way = await browser.leave(begun)
        async with browser.session.post(way, data={"sub": "carol"}, allow_redirects=False) as answer:
            back = answer.headers["Location"]
        visited += [way, back]
        assert "carol@example.org" in (await browser.come_back(back))[1]
        assert "Signed in" in (await browser.post("vouched", begun))[1]


def test_no_secret_of_a_sign_in_stands_where_somebody_could_read_it(
    broker: SigningBroker, onlooker: Onlooker, sink: MailSink, provider: OidcServer, place: Path
) -> None:
    people = {name: Person(name, place) for name in ("alice", "bob", "carol")}
    screens, visited = [], []
    try:
        with on_terminal(people["alice"], onlooker.url, "--email", "alice@example.org") as terminal:
            terminal.expect("Code: ")
            terminal.press(f"{mailed_code(sink, 1)}\n")
            terminal.expect("Signed in as alice@example.org")
            assert terminal.end() == 0
            screens.append(terminal.plain)
        with on_terminal(people["bob"], onlooker.url, "--no-browser") as terminal:
            asyncio.run(by_mail(onlooker.url, shown(terminal), "bob@example.org", sink))
            terminal.expect("Signed in as bob@example.org")
            assert terminal.end() == 0
            screens.append(terminal.plain)
        with on_terminal(people["carol"], onlooker.url, "--no-browser") as terminal:
            asyncio.run(by_provider(onlooker.url, shown(terminal), visited))
            terminal.expect("Signed in as carol@example.org")
            assert terminal.end() == 0
            screens.append(terminal.plain)
        opened = '"event": "session_opened"'
        poll(lambda: broker.log.read_text().count(opened) >= 3, "three sessions opened")
        people["alice"].do("invite", "bob@example.org", "--link-only")
        people["alice"].do("logout")
    finally:
        for person in people.values():
            person.try_("daemon", "stop")
    look(onlooker, place, screens, visited, provider)


def look(
    onlooker: Onlooker, place: Path, screens: list[str], visited: list[str], provider: OidcServer
) -> None:
    """Look for every secret that passed in every place that somebody may read."""
    secrets = onlooker.secrets()
    assert len(secrets["device_code"]) == 3
    assert {len(secrets[name]) >= count for name, count in (("code", 2), ("token", 6), ("cookie", 1))} == {
        True
    }
    assert secrets["access_token"] < secrets["token"], "sessions were given further tokens"
    mailed = {code.replace(b" ", b"") for code in secrets["code"]}
    provided = provider.secret_file.read_bytes().strip()
    hidden = set().union(*secrets.values(), mailed, {provided})
    assert min(len(each) for each in hidden) >= 8

    addresses = "\n".join([*onlooker.record.asked, *visited])
    referers = "\n".join(value for name, value in onlooker.record.headers if name.lower() == "referer")
    files = {
        path: path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path != provider.secret_file
    }
    places = {
        "the addresses": addresses.encode(),
        "where pages say that people came from": referers.encode(),
        "the list of processes": b"\n".join(onlooker.processes),
        **{f"the screen of sign-in {count}": text.encode() for count, text in enumerate(screens, 1)},
        **{str(path.relative_to(place)): data for path, data in files.items()},
    }
    # What is looked through is what it is taken for.
    assert b"/v1/login/token" in places["the addresses"]
    assert b"/login/back?" in places["the addresses"]
    assert b"--email\0alice@example.org" in places["the list of processes"]
    assert b"sign_in_allowed" in places["broker.log"]
    assert any(b"carol@example.org" in data for data in files.values())
    for name, data in places.items():
        for secret in hidden:
            if name == "the screen of sign-in 1" and secret in secrets["code"] | mailed:
                continue  # she typed it there
            assert secret not in data, f"a secret stands in {name}"
