"""The client on a real socket: patience has an end, and what does not answer is said not to."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch_cli.client import AbsentError, Client
from dispatch_cli.errors import CliError
from tests.support.door_documents import Json
from tests.support.scripted_daemon import Script


@pytest.fixture
def client(home: Path, door: Script) -> Client:
    return Client(str(home / "daemon.sock"))


@pytest.fixture
def dripping(tmp_path: Path) -> Iterator[str]:
    """A server that sends one byte at a time and never comes to the point."""
    path = str(tmp_path / "drip.sock")
    stop = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def drip() -> None:
            connection, _ = server.accept()
            with (
                connection,
                contextlib.suppress(ConnectionError),
            ):  # the client gives up before it is told to stop
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.02):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        yield path
        stop.set()
        thread.join()


def test_a_question_and_its_answer(client: Client, door: Script) -> None:
    door.answer("GET", "/v1/whoami", {"user": "naïve"})
    assert client.call("GET", "/v1/whoami") == {"user": "naïve"}


def test_a_body_arrives_as_it_was(client: Client, door: Script) -> None:
    seen: list[Json] = []
    door.on("POST", "/v1/x", lambda request: (seen.append(request.body), (201, {"a": "b" * 300_000}))[1])
    assert (
        client.call("POST", "/v1/x", {"task": "\u202e€"}, headers={"Idempotency-Key": "k"})["a"]
        == "b" * 300_000
    )
    assert seen == [{"task": "\u202e€"}]
    assert door.requests[0].headers["idempotency-key"] == "k"


def test_a_silent_daemon_is_given_up(client: Client, door: Script) -> None:
    door.stall = True
    with pytest.raises(CliError, match="did not answer in time") as caught:
        client.call("GET", "/v1/whoami", timeout_s=0.1)
    assert caught.value.exit_code == 5


def test_a_dripping_answer_has_one_deadline(dripping: str) -> None:
    with pytest.raises(CliError, match="did not answer in time"):
        Client(dripping).call("GET", "/v1/whoami", timeout_s=0.3)


def test_nobody_is_absent(tmp_path: Path) -> None:
    with pytest.raises(AbsentError):
        Client(str(tmp_path / "nowhere")).call("GET", "/")


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="cannot be used"):
        Client(str(tmp_path / ("x" * 200))).call("GET", "/")


def test_events_come_as_they_are_told_and_a_refusal_is_an_error(client: Client, door: Script) -> None:
    stream = client.watch(None)
    found = stream.receive(5.0)
    assert [event.name for event in found] == ["snapshot"]
    door.tell("change", {"a": 1})
    [change] = stream.receive(5.0)
    assert (change.name, change.data) == ("change", '{"a": 1}')
    assert stream.receive(0.05) == []
    assert stream.ended
    stream.close()
    door.refuse("GET", "/v1/events", "not_found", "no such dispatch")
    with pytest.raises(CliError, match="no such dispatch"):
        client.watch("beef")
