"""Several machines of one person: another one is bought, paired by a code and a number, lost, and taken back from paper."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.dispatch_command import Terminal
from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll


@contextmanager
def bought(name: str, place: Path, address: str) -> Iterator[Person]:
    """A machine that this address's person has bought; its daemon runs, and is ended afterwards."""
    person = Person(name, place)
    person.address = address
    person.daemon.start()
    try:
        yield person
    finally:
        person.daemon.stop()


def pair(older: Person, newer: Person, *more: str) -> dict[str, Any]:
    """Add a machine, as two hands would: the code there, the number on both."""
    code = older.do("devices", "add", *more)["code"]
    newer_sees = newer.do("devices", "add", code, code=8)
    assert newer_sees["status"] == "compare"
    number = newer_sees["number"]
    older.do("devices", "add", "--confirm", number)
    joined: dict[str, Any] = newer.do("devices", "add", "--confirm", number)
    assert joined["status"] == "done"
    return joined


def device_of(person: Person) -> str:
    """Return the id of the device that a machine is."""
    return str(person.do("whoami")["device"]["id"])


def devices_of(person: Person) -> set[str]:
    """Return the ids of all of a person's devices, as this machine knows them."""
    return {str(device["id"]) for device in person.do("devices")["devices"]}


def paper(person: Person) -> Path:
    """Write the recovery key of a person down."""
    with Terminal(person.home, "devices", "recovery-key", DISPATCH_KEY_BACKEND="file") as terminal:
        terminal.expect("[y/N]")
        terminal.press("y\n")
        assert terminal.end() == 0
        shown = re.search(r"dispatch-recovery-[\w-]+", terminal.plain)
    assert shown is not None
    written = person.home.parent / f"{person.name}-paper"
    written.write_text(shown[0] + "\n")
    return written


def recover(person: Person, url: str, key: Path, *more: str) -> dict[str, Any]:
    """Take a person's identity back on an empty machine."""
    taken: dict[str, Any] = person.do(
        *("login", "--broker", url, "--email", person.address, "--dev"),
        *("--recover", "--recovery-key-file", str(key), *more),
    )
    return taken


def refused(person: Person, *arguments: str) -> dict[str, Any]:
    """Type a command that must fail, and return the error and the exit code."""
    ended = person.try_(*arguments, "--json")
    assert ended.code != 0, ended.out
    error: dict[str, Any] = json.loads(ended.out)["error"]
    return error | {"exit": ended.code}


def at_home(neighbourhood: Neighbourhood, laptop: Person, repository: Path) -> None:
    """Let Alice send to Bob, whose two machines know each other by name."""
    bob = neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Edit,Bash", "--paths", f"{repository}:rw")
    pair(bob, laptop)
    bob.do("devices", "rename", bob.do("whoami")["device"]["id"][:8], "desk")
    laptop.do("devices", "rename", laptop.do("whoami")["device"]["id"][:8], "laptop")
    poll(lambda: laptop.do("contacts")["edges"], "the second machine knows the edge")
    poll(lambda: len(neighbourhood.alice.do("contacts")["edges"][0]["devices"]) == 2, "Alice knows both")
