"""Names under which a door is dialled: a page that had a name rebound, or a proxy, speaks to neither door of ours.

The daemon's names are tried one by one in `tests/integration/daemon/test_door_guard.py`; here both real programs meet
what a request can say twice: a target with an authority of its own beside `Host`, and more than one `Host`.
"""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neighbourhood import Broker, Person

# What follows a name decides nothing, so each foreign name is tried with the honest port.
FOREIGN = [
    "evil.example:{port}",
    "127.evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example:{port}",
    "page.localhost:{port}",
    "localhost.:{port}",
    "127.1:{port}",
    "2130706433:{port}",
    "0x7f.0.0.1:{port}",
    "0.0.0.0:{port}",
    "[::]:{port}",
    "evil.example@127.0.0.1:{port}",
    "127.0.0.1:{port}@evil.example",
    "127.0.0.1:{port}.evil.example",
    "127.0.0.1#.evil.example",
    "127.0.0.1/.evil.example",
    "127.0.0.1\\.evil.example",
    "127.0.0.1 evil.example",
    "１２７.0.0.1:{port}",
    "127.0.0.1:",
    "127.0.0.1:{port}{port}",
    "",
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    program = Broker(tmp_path_factory.mktemp("broker"))
    program.start()
    try:
        yield program
    finally:
        program.stop()


@pytest.fixture
def bob(place: Path) -> Iterator[Person]:
    person = Person("bob", place)
    person.daemon.start()
    try:
        yield person
    finally:
        person.daemon.stop()


def status(url: str, target: str, hosts: list[str], *more: str) -> int:
    """Ask a door as written and return the status of its one answer."""
    host, port = url.removeprefix("http://").split(":")
    lines = [
        f"GET {target} HTTP/1.1",
        *(f"Host: {name}" for name in hosts),
        *more,
        "Connection: close",
        "",
        "",
    ]
    with socket.create_connection((host, int(port)), timeout=30) as door:
        door.sendall("\r\n".join(lines).encode())
        with door.makefile("rb") as answer:
            said = answer.read()
    (found,) = re.findall(rb"HTTP/1\.[01] (\d{3}) ", said)
    return int(found)


def honest(url: str) -> list[str]:
    """Return the ways to name a door that are its own."""
    port = url.rpartition(":")[2]
    return [f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"]


def foreign(url: str) -> list[str]:
    """Return the ways to name a door that somebody else may have led here."""
    return [name.format(port=url.rpartition(":")[2]) for name in FOREIGN]


def unclear(url: str, path: str) -> list[tuple[str, list[str]]]:
    """Return targets and `Host` lines that name the door foreignly, twice, or not at all."""
    own = honest(url)[0]
    asked = [(path, [name]) for name in foreign(url)]
    asked += [(f"http://{own}{path}", [name]) for name in foreign(url)]
    asked += [(f"http://{name}{path}", [own]) for name in foreign(url)]
    for names in ([], [own, "evil.example"], ["evil.example", own], [own, own]):
        asked += [(path, names), (f"http://{own}{path}", names)]
    return asked


def test_a_development_broker_answers_to_names_of_this_machine_alone(broker: Broker) -> None:
    own = honest(broker.url)
    names = [*own, "127.0.0.1", "localhost", f"[::1]:{broker.url.rpartition(':')[2]}"]
    for name in names:
        assert status(broker.url, "/health", [name]) == 200, name
        assert status(broker.url, f"http://{name}/health", [name]) == 200, name
    answers = [(each, status(broker.url, *each)) for each in unclear(broker.url, "/health")]
    assert [each for each in answers if each[1] not in {400, 403}] == []


def test_the_daemon_answers_to_its_own_names_alone(bob: Person) -> None:
    url, path = bob.daemon.url, "/v1/whoami"
    token = f"Authorization: Bearer {(bob.home / 'local.token').read_text().strip()}"
    assert [status(url, path, [name], token) for name in honest(url)] == [200, 200, 200]
    asked = [*unclear(url, path), (path, ["127.0.0.1"]), (path, [f"[::1]:{url.rpartition(':')[2]}"])]
    answers = [(each, status(url, *each, token)) for each in asked]
    # A target with an authority is no address of this door, whatever it names.
    assert [each for each in answers if each[1] not in {400, 403, 404}] == []
    assert [each for each in answers if each[1] == 404 and each[0][0] == path] == []
