"""Requests whose end can be read in two ways: whatever a proxy in front believed, no second request hides in a first.

Each framing is followed by an honest question. A door may refuse the framing and hang up; it may not answer what was
hidden in it. `honest` framings beside them show that the same bytes are answered twice where the end is clear.
"""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.support.neighbourhood import Broker, Person, Program

CHUNKED = "Transfer-Encoding: chunked\r\n"
UNCLEAR = {
    "length and chunks": f"Content-Length: 5\r\n{CHUNKED}\r\n0\r\n\r\n",
    "chunks and length": f"{CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two codings": f"{CHUNKED}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a list of codings": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown coding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding after a vertical tab": "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": f"X-A: b\r\n {CHUNKED}Content-Length: 0\r\n\r\n",
    "two lengths": "Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}",
    "a list of lengths": "Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": "Content-Length: +2\r\n\r\n{}",
    "a length of two numbers": "Content-Length: 2 2\r\n\r\n{}",
    "a length in hexadecimal": "Content-Length: 0x2\r\n\r\n{}",
    "a length beyond any": f"Content-Length: {'9' * 40}\r\n\r\n{{}}",
    "bare line feeds": "Content-Length: 2\n\n{}",
    "a chunk size in C's spelling": f"{CHUNKED}\r\n0x2\r\n{{}}\r\n0\r\n\r\n",
    "a negative chunk": f"{CHUNKED}\r\n-2\r\n{{}}\r\n0\r\n\r\n",
    "a chunk beyond any": f"{CHUNKED}\r\n{'f' * 18}\r\n{{}}\r\n0\r\n\r\n",
    "a line feed in an extension": f"{CHUNKED}\r\n2;a\nxx\r\n{{}}\r\n0\r\n\r\n",
    "a chunk that runs over": f"{CHUNKED}\r\n2\r\n{{}}XX0\r\n\r\n",
}
HONEST = {
    "a length": "Content-Length: 2\r\n\r\n{}",
    "a chunk": f"{CHUNKED}\r\n2\r\n{{}}\r\n0\r\n\r\n",
    "nothing": "\r\n",
}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Program, str, str]]]:
    """Both doors, with an address that takes a body and the headers that its owner sends."""
    place = tmp_path_factory.mktemp("d")
    broker, bob = Broker(place), Person("bob", place)
    try:
        broker.start()
        bob.daemon.start()
        token = (bob.home / "local.token").read_text().strip()
        yield {
            "broker": (broker, "/v1/login/dev", ""),
            "daemon": (bob.daemon, "/v1/dispatches", f"Authorization: Bearer {token}\r\n"),
        }
    finally:
        bob.daemon.stop()
        broker.stop()


def statuses(door: tuple[Program, str, str], framing: str) -> list[int]:
    """Send a request framed so, with an honest one in the same breath; return the status of every answer."""
    program, path, owner = door
    host, port = program.url.removeprefix("http://").split(":")
    common = f"Host: {host}:{port}\r\n{owner}"
    first = f"POST {path} HTTP/1.1\r\n{common}Content-Type: application/json\r\n{framing}"
    second = f"GET /health HTTP/1.1\r\n{common}Connection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as peer:
        peer.sendall((first + second).encode("latin-1"))
        with peer.makefile("rb") as answer:
            return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer.read())]


@pytest.mark.parametrize("name", ["broker", "daemon"])
class TestFraming:
    @pytest.mark.parametrize("framing", UNCLEAR.values(), ids=UNCLEAR.keys())
    def test_what_hides_behind_an_unclear_end_is_not_answered(
        self, doors: dict[str, tuple[Program, str, str]], name: str, framing: str
    ) -> None:
        answers = statuses(doors[name], framing)
        assert len(answers) == 1
        assert 400 <= answers[0] < 500

    @pytest.mark.parametrize("framing", HONEST.values(), ids=HONEST.keys())
    def test_behind_a_clear_end_the_next_is_answered(
        self, doors: dict[str, tuple[Program, str, str]], name: str, framing: str
    ) -> None:
        first, second = statuses(doors[name], framing)
        assert 400 <= first < 500  # no body is a dispatch or a login
        assert second == 200

    def test_many_questions_in_one_breath_are_answered_in_order(
        self, doors: dict[str, tuple[Program, str, str]], name: str
    ) -> None:
        program, path, owner = doors[name]
        host, port = program.url.removeprefix("http://").split(":")
        common = f"Host: {host}:{port}\r\n{owner}"
        asked = "".join(
            f"GET {target} HTTP/1.1\r\n{common}\r\n" for target in ["/health", "/nowhere", path] * 100
        )
        asked += f"GET /health HTTP/1.1\r\n{common}Connection: close\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=30) as peer, peer.makefile("rb") as answer:
            peer.sendall(asked.encode())
            found = [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer.read())]
        assert found == [200, 404, 405 if name == "broker" else 200] * 100 + [200]
