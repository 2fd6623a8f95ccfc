"""Plain requests of HTTP through the gate to hosts: one is read whole and another leaves, to port 80 of what was granted."""

from collections.abc import AsyncIterator

import pytest

from tests.support.far_hosts import FarHost, far_host
from tests.support.host_gates import Besieged, host_gate, is_over
from tests.support.patience import eventually

NAME = "host.example"
GET = f"GET http://{NAME}/it HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
LEFT = f"GET /it HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode()


@pytest.fixture
async def far() -> AsyncIterator[FarHost]:
    async with far_host() as made:
        yield made


@pytest.fixture
async def gate(far: FarHost) -> AsyncIterator[Besieged]:
    answers = {NAME: [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    private = [NAME, "other.example"]
    async with host_gate(
        f"{NAME}:80", "other.example", answers=answers, private=private, reroute=far.port
    ) as made:
        yield made


async def test_a_request_is_written_anew_and_answered(gate: Besieged, far: FarHost) -> None:
    line, (reader, writer) = await gate.say(GET)
    assert line == "HTTP/1.1 200 OK"
    assert (await reader.read()).endswith(far.says)
    assert (far.asked, gate.reached, gate.codes) == ([LEFT], [f"{NAME}:80"], [])
    writer.close()


async def test_a_body_passes_as_long_as_it_says_that_it_is(gate: Besieged, far: FarHost) -> None:
    said = f"POST http://{NAME}/ HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".encode()
    line, streams = await gate.say(said + b"GET /behind HTTP/1.1\r\nHost: other.example\r\n\r\n")
    assert line == "HTTP/1.1 200 OK"
    assert await is_over(streams)
    (asked,) = far.asked
    assert asked.endswith(b"\r\n\r\nhello")
    assert b"behind" not in asked


async def test_a_second_request_behind_the_first_does_not_leave(gate: Besieged, far: FarHost) -> None:
    line, streams = await gate.say(
        GET + f"GET http://{NAME}/ HTTP/1.1\r\nHost: other.example\r\n\r\n".encode()
    )
    assert line == "HTTP/1.1 200 OK"
    assert await is_over(streams)
    assert (far.asked, far.connections) == ([LEFT], 1)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("GET http://other.example/ HTTP/1.1", "403 gate_forbidden"),
        ("GET http://elsewhere.example/ HTTP/1.1", "403 gate_forbidden"),
        ("GET http://127.0.0.1/ HTTP/1.1", "403 gate_forbidden"),
        ("GET http://169.254.169.254/latest/meta-data/ HTTP/1.1", "403 gate_forbidden"),
        ("GET https://host.example/ HTTP/1.1", "403 gate_forbidden"),
        ("GET /it HTTP/1.1", "403 gate_forbidden"),
        ("GET http://host.example/ HTTP/1.1\r\nHost: other.example", "400 gate_malformed"),
        ("GET http://host.example/ HTTP/1.1\r\nTransfer-Encoding: chunked", "411 gate_malformed"),
        ("GET http://host.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", "400 gate_malformed"),
        ("GET http://host.example/ HTTP/1.1\r\nHost : other.example", "400 gate_malformed"),
        ("hello", "400 gate_malformed"),
    ],
)
async def test_what_is_for_nobody_granted_or_reads_in_two_ways_does_not_leave(
    gate: Besieged, far: FarHost, said: str, answer: str
) -> None:
    line, streams = await gate.say(f"{said}\r\n\r\n".encode())
    assert line == f"HTTP/1.1 {answer}"
    assert await is_over(streams)
    assert (far.connections, gate.reached, len(gate.codes)) == (0, [], 1)
    assert (await gate.say(GET))[0] == "HTTP/1.1 200 OK"


async def test_half_a_body_is_no_request(gate: Besieged, far: FarHost) -> None:
    reader, writer = await gate.connect()
    writer.write(f"POST http://{NAME}/ HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel".encode())
    writer.write_eof()
    assert await is_over((reader, writer))
    await eventually(lambda: far.connections == 1 and far.held == 0)
    assert far.asked == []


async def test_what_a_request_says_of_its_connection_stays_inside(gate: Besieged, far: FarHost) -> None:
    more = "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nProxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\n"
    line, streams = await gate.say(f"GET http://{NAME}/it HTTP/1.1\r\n{more}X-Mine: 2\r\n\r\n".encode())
    assert line == "HTTP/1.1 200 OK"
    assert await is_over(streams)
    assert far.asked == [LEFT.replace(b"Connection:", b"x-mine: 2\r\nConnection:")]
