"""The relay never holds what two people say: its database, its log and its memory are searched for canaries."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.support.memory import holds
from tests.support.neighbourhood import Neighbourhood, bash, edit, make_repository
from tests.support.patience import poll

CANARY = "c4n4ry7f3a"


def run_with_canaries(everybody: Neighbourhood) -> None:
    """Put a canary into task, background, file names, scopes, steps, output, result and reason, and carry all of it."""
    project = make_repository(
        everybody.directory / f"{CANARY}-project", {f"{CANARY}.md": f"{CANARY}-old\n", "a.txt": "a\n"}
    )
    everybody.befriend("--tools", "Read,Edit,Bash", "--paths", f"{project}:rw", "--returns", "trace")
    steps = [
        edit(f"{CANARY}.md", f"{CANARY}-old", f"{CANARY}-new"),
        bash(f"echo {CANARY}-output", save_as=f"{CANARY}.txt"),
    ]
    extra = ("--background", f"{CANARY} background", "--deliverable", CANARY, "--meta", f"{CANARY}={CANARY}")
    done = everybody.send(f"{CANARY} task", steps, *extra)
    everybody.bob.do("accept", done)
    assert everybody.bob.approve_all(done)["status"] == "completed"
    state = everybody.alice.until(done, "completed")
    assert CANARY in state["changeset"][0]["path"]
    declined = everybody.send(f"{CANARY} other task")
    everybody.bob.do("decline", declined, "--reason", f"{CANARY} reason")
    everybody.alice.until(declined, "declined")


def spellings(word: str) -> set[bytes]:
    """Return a word in clear, as UTF-16 and UTF-32 hold it, and in base64 of any alignment."""
    found = {word.encode(), word.encode("utf-16-le"), word.encode("utf-32-le")}
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + word.encode() + b"yy").decode()
        found.add(text[4:-4].encode())
    return found


def found_at_the_relay(everybody: Neighbourhood) -> list[str]:
    """Return what the relay's files hold of the canary, in any spelling."""
    needles = spellings(CANARY)
    files = [path for path in everybody.broker.data.rglob("*") if path.is_file()] + [everybody.broker.log]
    assert everybody.broker.data / "broker.db" in files or len(files) > 1
    return [
        f"{path.name}: {needle!r}"
        for path in files
        for needle in needles
        if needle in path.read_bytes() or needle.hex().encode() in path.read_bytes()
    ]


class Reader:
    """Reads the relay's memory over and over while people work, and once more afterwards."""

    def __init__(self, everybody: Neighbourhood) -> None:
        process = everybody.broker.process
        assert process is not None
        self._pid = process.pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.looks = 0
        self.found: set[bytes] = set()

    def _look(self) -> None:
        found = holds(self._pid, {*spellings(CANARY), self._sign})
        assert self._sign in found, "the relay's memory cannot be read"
        self.found |= found - {self._sign}
        self.looks += 1

    # Something that the relay is meant to know: whoever looks and does not find it has not looked.
    _sign = b"alice@example.org"

    def _read(self) -> None:
        while not self._over.is_set():
            self._look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()


def test_relay_holds_nothing_of_what_was_said(neighbourhood: Neighbourhood) -> None:
    with Reader(neighbourhood) as reader:
        run_with_canaries(neighbourhood)
    assert reader.looks > 3
    assert reader.found == set()
    neighbourhood.broker.kill()  # before anything is tidied away
    assert found_at_the_relay(neighbourhood) == []


@pytest.fixture
def unsealed(place: Path) -> Iterator[Neighbourhood]:
    """Alice and Bob with daemons that do not seal."""
    everybody = Neighbourhood(place, daemon_module="tests.support.unsealed_daemon")
    try:
        everybody.open()
        yield everybody
    finally:
        everybody.close()


def test_the_search_finds_what_a_daemon_without_sealing_sends(unsealed: Neighbourhood) -> None:
    """Without sealing not even a first contact succeeds; what was sent stands at the relay for all to read."""
    token = unsealed.alice.do("invite", unsealed.bob.address, "--link-only")["token"]
    granted = unsealed.directory / f"{CANARY}-project"
    granted.mkdir()
    unsealed.bob.do("accept-invitation", token, "--profile", "edit", "--paths", f"{granted}:rw")
    with Reader(unsealed) as reader:
        assert poll(lambda: found_at_the_relay(unsealed), "the canary stands at the relay")
        assert poll(lambda: reader.found, "the canary stands in the relay's memory")
