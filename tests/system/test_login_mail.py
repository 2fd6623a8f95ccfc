"""Signing in by a mailed code: on a terminal, in a pipe, wrongly, too often, and by somebody who may not."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispatch_command import Terminal
from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Person
from tests.support.patience import poll
from tests.support.signing_broker import SigningBroker, mailed_code


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def broker(place: Path, sink: MailSink) -> Iterator[SigningBroker]:
    program = SigningBroker(place, sink, "--signup", "domain:example.org")
    program.start()
    yield program
    program.stop()


@pytest.fixture
def alice(place: Path) -> Iterator[Person]:
    person = Person("alice", place)
    person.daemon.start()
    yield person
    person.daemon.stop()


def ask_for_a_code(person: Person, broker: SigningBroker, address: str = "") -> dict[str, Any]:
    asked = person.do("login", "--broker", broker.url, "--email", address or person.address, code=4)
    assert asked["error"]["code"] == "code_needed"
    return asked


def hinted(failed: dict[str, Any]) -> list[str]:
    """Return the arguments of the command that a failure says to type next."""
    program, *arguments = shlex.split(failed["error"]["hint"])
    assert program == "dispatch"
    return arguments


def test_on_a_terminal_the_code_is_asked_for_and_stands_nowhere_else(
    broker: SigningBroker, alice: Person, place: Path, sink: MailSink
) -> None:
    line = ("login", "--broker", broker.url, "--email", alice.address)
    with Terminal(alice.home, *line, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0") as terminal:
        terminal.expect("Code: ")
        code = mailed_code(sink, 1)
        [mail] = sink.mails
        shown = mail.get_content().partition("shows ")[2][:9]
        terminal.expect(f"Its mail names {shown}.")
        terminal.press("0000 0000\n")
        terminal.expect("4 more times")
        processes = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
        terminal.press(f"{code}\n")
        terminal.expect("Signed in as alice@example.org")
        assert terminal.end() == 0
    assert mail["To"] == alice.address
    assert "http" not in mail.get_content().replace(broker.url, "")
    assert alice.do("whoami")["user"] == alice.address
    poll(lambda: "session_opened" in broker.log.read_text(), "the broker logged the session")
    written = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    # Every token is claims and a seal; the claims begin with {"address": or {"device":, which is this in base64url.
    for secret in (code, code.replace(" ", ""), "eyJhZGRyZXNz", "eyJkZXZpY2"):
        assert secret not in processes
        assert secret.encode() not in written


def test_in_a_pipe_the_code_comes_from_a_file_and_no_second_mail_is_sent(
    broker: SigningBroker, alice: Person, sink: MailSink
) -> None:
    asked = ask_for_a_code(alice, broker, "Alice@Example.ORG")
    code = mailed_code(sink, 1)
    who = alice.do(*hinted(asked), stdin=code.encode())
    assert (who["user"], who["broker"]) == (alice.address, broker.url), "an address has no capitals here"
    assert len(sink.mails) == 1


def test_a_wrong_code_from_a_file_promises_no_mail_and_names_the_next_command(
    broker: SigningBroker, alice: Person, sink: MailSink
) -> None:
    begun = alice.try_("login", "--broker", broker.url, "--email", alice.address)
    assert (begun.code, "a code is on its way" in begun.err) == (4, True)
    code = mailed_code(sink, 1)
    line = ("login", "--broker", broker.url, "--email", alice.address, "--code-file", "-")
    wrong = alice.try_(*line, stdin=b"00000000")
    assert (wrong.code, "on its way" in wrong.err) == (4, False)
    assert "The code that was mailed still counts" in wrong.err
    alice.do(*hinted(alice.do(*line, stdin=b"00000000", code=4)), stdin=code.encode())
    assert len(sink.mails) == 1


def test_nobody_learns_whether_an_address_is_known(
    broker: SigningBroker, alice: Person, place: Path, sink: MailSink
) -> None:
    """A stranger's address, which may not sign in here, is answered like any other; only no mail is sent."""
    line = ("login", "--broker", broker.url, "--email")
    known = alice.try_(*line, alice.address)
    mailed_code(sink, 1)
    stranger = Person("mallory", place)
    try:
        unknown = stranger.try_(*line, "mallory@elsewhere.example")
        assert (unknown.code, known.code) == (4, 4)

        def neutral(text: str, address: str) -> list[str]:
            return [
                each.split(" names ")[0]
                for each in text.replace(address, "X").splitlines()
                if "daemon" not in each
            ]

        assert neutral(unknown.err, "mallory@elsewhere.example") == neutral(known.err, alice.address)
        wrong = stranger.do(*line, "mallory@elsewhere.example", "--code-file", "-", stdin=b"00000000", code=4)
        assert wrong["error"]["code"] == "code_wrong"
        ask_for_a_code(stranger, broker, "bob@example.org")
        mailed_code(sink, 2)
        assert [mail["To"] for mail in sink.mails] == [alice.address, "bob@example.org"]
    finally:
        stranger.do("daemon", "stop")


def test_an_address_with_an_identity_gets_no_second_one(
    broker: SigningBroker, alice: Person, place: Path, sink: MailSink
) -> None:
    line = ("login", "--broker", broker.url, "--email", alice.address, "--code-file", "-")
    ask_for_a_code(alice, broker)
    alice.do(*line, stdin=mailed_code(sink, 1).encode())
    thief = Person("thief", place)
    try:
        ask_for_a_code(thief, broker, alice.address)
        refused = thief.do(*line, stdin=mailed_code(sink, 2).encode(), code=3)["error"]
        assert refused["code"] == "pair_needed"
        assert "somebody else signed in as you" in refused["message"]
        assert "tell whoever runs this broker, and whoever invited you" in refused["message"]
        assert thief.do("whoami")["user"] is None
    finally:
        thief.do("daemon", "stop")
