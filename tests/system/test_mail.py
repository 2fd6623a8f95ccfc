"""Invitations by mail: sent once, kept through a crash and a busy server, and never with anything secret in them."""

import re
import sqlite3
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatch_broker.adapters.mail import Server
from dispatch_broker.adapters.settings import Settings, SettingsError, is_loopback
from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Broker, Neighbourhood, Person, edit
from tests.support.patience import poll


class MailingBroker(Broker):
    """A broker that hands its mail to a sink."""

    url_of_mail = ""

    def _arguments(self, listen: str) -> list[str]:
        return [
            *super()._arguments(listen),
            "--smtp-url",
            self.url_of_mail,
            "--mail-from",
            "dispatch@example.net",
        ]


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def mailing(place: Path, sink: MailSink) -> Iterator[Neighbourhood]:
    everybody = Neighbourhood(place)
    broker = MailingBroker(place)
    broker.url_of_mail = sink.url
    broker.arguments = broker._arguments("127.0.0.1:0")
    everybody.broker = broker
    try:
        everybody.open()
        yield everybody
    finally:
        everybody.close()


def log(mailing: Neighbourhood) -> str:
    return mailing.broker.log.read_text()


def test_a_mail_says_who_and_where_and_its_link_changes_nothing(
    mailing: Neighbourhood, sink: MailSink
) -> None:
    invited = mailing.alice.do("invite", "Carol@Example.org")
    assert invited["emailed"] is True
    (mail,) = poll(lambda: sink.mails, "the mail came")
    assert (mail["To"], mail["From"]) == ("carol@example.org", "dispatch@example.net")
    assert mail["Reply-To"] == mailing.alice.address
    assert mail["Subject"] == "alice@example.org invites you to Dispatch"
    text = mail.get_content()
    (link,) = re.findall(r"http\S+", text)
    assert link == invited["link"]
    secret = invited["token"].rpartition(".")[2]
    assert secret not in mail.as_string()
    assert "dispatch1:" not in text.replace("begins with dispatch1: and", "")
    for _ in range(3):  # what scanners do
        with urllib.request.urlopen(link) as answer:
            page = answer.read().decode()
    assert "dispatch accept-invitation TOKEN" in page
    assert secret not in page
    assert [each["status"] for each in mailing.alice.do("invitations")["sent"]] == ["pending"]
    assert "carol" not in log(mailing).lower()


def test_the_token_of_a_mailed_invitation_is_accepted(mailing: Neighbourhood, sink: MailSink) -> None:
    invited = mailing.alice.do("invite", mailing.bob.address)
    poll(lambda: sink.mails, "the mail came")
    assert mailing.bob.do("accept-invitation", invited["token"], "--profile", "read-only")["trust"] == "token"


def test_a_mailed_invitation_is_accepted_by_its_id_and_makes_both_known_by_mail_only(
    mailing: Neighbourhood, sink: MailSink, repository: Path
) -> None:
    """The page says the command; whoever follows it asks for each call, without a shell; and the other side knows it too."""
    alice, bob = mailing.alice, mailing.bob
    invited = alice.do("invite", bob.address, "--offer", "full")
    (mail,) = poll(lambda: sink.mails, "the mail came")
    (link,) = re.findall(r"http\S+", mail.get_content())
    with urllib.request.urlopen(link) as answer:
        page = answer.read().decode()
    (named,) = set(re.findall(r"accept-invitation ([0-9a-f-]{36})", page))
    assert named == invited["invitation_id"]
    wide = ("--profile", "full", "--approval", "auto", "--paths", f"{repository}:rw")
    given = bob.do("accept-invitation", named, *wide)
    assert (given["trust"], given["scopes"]["approval"]) == ("unverified", "manual")
    assert "Bash" not in given["scopes"]["tools"]

    def edges(person: Person, direction: str) -> list[dict[str, Any]]:
        found = person.do("contacts")["edges"]
        return [each for each in found if each["direction"] == direction and each["status"] == "active"]

    for person in (alice, bob):
        incoming, outgoing = (
            poll(lambda person=person, way=way: edges(person, way), f"{person.name} has an edge {way}")
            for way in ("incoming", "outgoing")
        )
        assert {each["trust"] for each in (*incoming, *outgoing)} == {"unverified"}
        assert all("Bash" not in each["scopes"]["tools"] for each in (*incoming, *outgoing))
    task = mailing.send("Change it", [edit("notes.md", "first line", "by mail")])
    bob.do("accept", task, "--cwd", str(repository))
    assert bob.approve_all(task)["outcome"] == "success"
    assert alice.until(task, "completed")["outcome"] == "success"


def test_what_was_not_mailed_is_accepted_with_its_token_only(mailing: Neighbourhood) -> None:
    invited = mailing.alice.do("invite", mailing.bob.address, "--link-only")
    refusal = mailing.bob.do("accept-invitation", invited["invitation_id"], "--profile", "read-only", code=3)
    assert refusal["error"]["code"] == "token_needed"


def test_link_only_mails_nothing(mailing: Neighbourhood, sink: MailSink) -> None:
    assert mailing.alice.do("invite", "one@example.org", "--link-only")["emailed"] is False
    assert mailing.alice.do("invite", "two@example.org")["emailed"] is True
    poll(lambda: sink.mails, "the second one came")
    assert [mail["To"] for mail in sink.mails] == ["two@example.org"]


def test_a_busy_server_is_asked_again_after_a_crash_and_gets_it_once(
    mailing: Neighbourhood, sink: MailSink
) -> None:
    sink.reply = "451 busy"
    mailing.alice.do("invite", "carol@example.org")
    poll(lambda: "mail_later" in log(mailing), "it was tried")
    mailing.broker.kill()
    sink.reply = "250 kept"
    store = mailing.broker.data / "broker.db"
    with sqlite3.connect(store) as database:
        assert database.execute("SELECT count(*) FROM mails").fetchone() == (1,)
        database.execute("UPDATE mails SET due_ms = 0")
    database.close()
    mailing.broker.start()
    poll(lambda: sink.mails, "the mail came")
    poll(lambda: '"mailed"' in log(mailing), "it was settled")
    mailing.broker.stop()
    mailing.broker.start()
    poll(lambda: mailing.alice.try_("invite", "dora@example.org").code == 0, "she is online again")
    poll(lambda: len(sink.mails) > 1, "another one came")
    assert [mail["To"] for mail in sink.mails] == ["carol@example.org", "dora@example.org"]


def test_a_server_that_is_away_costs_nobody_anything(mailing: Neighbourhood, sink: MailSink) -> None:
    sink.close()  # the port is closed with it
    assert mailing.alice.do("invite", "carol@example.org")["emailed"] is True
    poll(lambda: "mail_later" in log(mailing), "it was tried")
    assert mailing.bob.do("contacts") == {"edges": []}


def test_a_refusal_for_good_is_given_up(mailing: Neighbourhood, sink: MailSink) -> None:
    sink.reply = "550 no such person"
    mailing.alice.do("invite", "carol@example.org")
    poll(lambda: "mail_given_up" in log(mailing), "it was given up")
    sink.reply = "250 kept"
    mailing.alice.do("invite", "dora@example.org")
    poll(lambda: sink.mails, "the next one came")
    assert [mail["To"] for mail in sink.mails] == ["dora@example.org"]


def test_nobody_mails_strangers_without_end(mailing: Neighbourhood, sink: MailSink) -> None:
    codes = [mailing.alice.try_("invite", f"n{number}@example.org").code for number in range(22)]
    assert codes == [0] * 20 + [3] * 2
    refused = mailing.alice.do("invite", "late@example.org", code=3)["error"]
    assert refused["code"] == "rate_limited"
    assert mailing.alice.do("invite", "late@example.org", "--link-only")["token"]
    poll(lambda: len(sink.mails) == 20, "all that were owed came")


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "local"),
    [
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, False, True),
        ("smtp://mail.example.net", "mail.example.net", 587, False, False),
        ("smtps://u%40x:p%3Aw@mail.example.net", "mail.example.net", 465, True, False),
    ],
)
def test_servers_as_they_are_written(url: str, host: str, port: int, tls: bool, local: bool) -> None:
    server = Server.read(url, is_loopback)
    assert (server.host, server.port, server.is_tls, server.is_local) == (host, port, tls, local)
    if server.user is not None:
        assert (server.user, server.password) == ("u@x", "p:w")
        assert "p:w" not in repr(server)


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://mail.example.net", "a@b.c"),
        ("smtp://", "a@b.c"),
        ("smtp://mail:port", "a@b.c"),
        ("smtp://u:SECRET@mail/path", "a@b.c"),
        ("smtp://mail.example.net", None),
        (None, "a@b.c"),
        ("smtp://mail.example.net", "nobody"),
    ],
)
def test_settings_of_mail_that_cannot_work(tmp_path: Path, url: str | None, sender: str | None) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.build(
            listen="127.0.0.1:0",
            data=tmp_path,
            public_url=None,
            token_key=None,
            signup=None,
            dev=True,
            log_level="INFO",
            smtp_url=url,
            mail_from=sender,
        )
    assert "SECRET" not in str(refused.value)
