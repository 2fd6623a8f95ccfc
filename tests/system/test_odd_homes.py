"""Days on which a home is not what it was: set back, damaged, of an older version; and what its owner then types."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dispatch_daemon.adapters.journal.schema import MIGRATIONS
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll


def state_of_link(person: Person) -> str:
    broker = person.do("daemon", "status")["broker"]
    return str(broker["state"]) if broker else "none"


def replace_home(person: Person, with_: Path) -> None:
    shutil.rmtree(person.home)
    shutil.copytree(with_, person.home)


def failed_start(person: Person) -> str:
    """Start a daemon that must not live; return what it said."""
    person.daemon.log.touch()
    before = len(person.daemon.log.read_text())
    with pytest.raises(AssertionError):
        person.daemon.start()
    assert person.daemon.process is not None
    assert person.daemon.stop() == 5
    return person.daemon.log.read_text()[before:]


def test_home_that_was_set_back_is_noticed_and_a_login_takes_it_up_again(
    neighbourhood: Neighbourhood, place: Path
) -> None:
    alice = neighbourhood.alice
    alice.daemon.stop()
    backup = shutil.copytree(alice.home, place / "backup")
    for _ in range(2):  # the sessions that the backup does not know
        alice.daemon.start()
        poll(lambda: state_of_link(alice) == "online", "signed in")
        alice.daemon.stop()
    replace_home(alice, backup)
    alice.daemon.start()
    assert (
        poll(lambda: (found := state_of_link(alice)) in ("refused", "online") and found, "answered")
        == "refused"
    )

    def signed_in() -> bool:
        return (
            alice.try_("login", "--broker", neighbourhood.broker.url, "--email", alice.address, "--dev").code
            == 0
        )

    poll(signed_in, "as often as there were sessions, and no oftener")
    assert alice.do("invite", "x@example.org", "--link-only")["token"]


@pytest.mark.parametrize("damage", ["cut short", "a page of noise", "empty"])
def test_damaged_journal_is_no_reason_to_guess_and_a_backup_mends_it(place: Path, damage: str) -> None:
    bob = Person("bob", place)
    bob.daemon.start()
    kept = bob.do("send", "me", "Remember this", "--steps", "-", stdin=json.dumps([bash("true")]).encode())
    bob.daemon.stop()
    backup = shutil.copytree(bob.home, place / "backup")
    journal = bob.home / "journal.db"
    raw = bytearray(journal.read_bytes())
    match damage:
        case "cut short":
            journal.write_bytes(raw[: len(raw) // 2])
        case "a page of noise":
            raw[8192:12288] = b"\xa5" * 4096
            journal.write_bytes(raw)
        case _:
            journal.write_bytes(b"")
    said = failed_start(bob)
    assert "error: " in said
    assert "Traceback" not in said
    asked = bob.do("inbox", code=5)["error"]
    assert asked["code"] == "daemon_unreachable"
    assert asked["hint"]
    replace_home(bob, backup)
    bob.daemon.start()
    assert bob.status(kept["dispatch_id"])["status"] == "delivered"
    bob.daemon.stop()


def as_first_version(journal: Path) -> None:
    """Rewrite a journal as the first version of the program would have left it."""
    old = journal.with_suffix(".old")
    with closing(sqlite3.connect(old)) as first, closing(sqlite3.connect(journal)) as now:
        first.executescript(MIGRATIONS[0])
        first.execute("PRAGMA user_version = 1")
        tables = [name for (name,) in first.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            kept = {row[1] for row in now.execute(f"PRAGMA table_info({table})")}
            columns = [row[1] for row in first.execute(f"PRAGMA table_info({table})") if row[1] in kept]
            named = ", ".join(f'"{column}"' for column in columns)
            rows = now.execute(f"SELECT {named} FROM {table}").fetchall()
            first.executemany(f"INSERT INTO {table} ({named}) VALUES ({', '.join('?' * len(columns))})", rows)
        first.commit()
    for path in journal.parent.glob("journal.db*"):
        path.unlink()
    old.rename(journal)


def test_journal_of_the_first_version_goes_on_where_it_was(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    assert len(MIGRATIONS) > 1
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Bash", "--paths", f"{repository}:rw")
    done = neighbourhood.send("Work", [bash("true")])
    bob.do("accept", done)
    bob.approve_all(done)
    alice.until(done, "completed")
    waiting = neighbourhood.send("Work later", [bash("true")])
    for person in (alice, bob):
        before = person.do("inbox"), person.do("sent"), person.do("contacts")["edges"][0]["scopes"]
        person.daemon.stop()
        as_first_version(person.home / "journal.db")
        person.daemon.start()
        assert (person.do("inbox"), person.do("sent"), person.do("contacts")["edges"][0]["scopes"]) == before
    bob.do("accept", waiting)
    assert bob.approve_all(waiting)["status"] == "completed"
    assert alice.until(waiting, "completed")["outcome"] == "success"
    assert alice.do("verify", alice.do("result", done)["bundle"])["ok"]


def test_journal_of_a_newer_version_is_left_alone_and_said(place: Path) -> None:
    bob = Person("bob", place)
    bob.daemon.start()
    bob.daemon.stop()
    journal = bob.home / "journal.db"
    with closing(sqlite3.connect(journal)) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = journal.read_bytes()
    assert "newer version" in failed_start(bob)
    assert journal.read_bytes() == before


def test_second_daemon_of_a_home_names_the_first(place: Path) -> None:
    bob = Person("bob", place)
    bob.daemon.start()
    assert bob.daemon.process is not None
    first = bob.daemon.process
    second = Person("second", place)
    second.daemon.arguments = bob.daemon.arguments
    assert f"already served by the daemon with pid {first.pid}" in failed_start(second)
    assert bob.do("whoami")["daemon"]["running"] is True
    bob.daemon.stop()
