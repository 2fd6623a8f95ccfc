"""Whatever is sent, the answer is a refusal or a closed session: never a 5xx, a traceback or a broker that is gone."""

import asyncio
import itertools
import logging
import struct

import aiohttp
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from dispatch_broker.adapters.calls import OPERATIONS
from dispatch_broker.adapters.websocket import MESSAGE_FRAMES
from dispatch_protocol.encoding import dumps
from dispatch_protocol.frames import (
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.framing import decode_message, encode_messages
from dispatch_protocol.limits import MESSAGE_BYTES
from tests.support.device import Device, befriend, dial
from tests.support.relay import broker_here

OFTEN = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = (f"fuzz-{number}" for number in itertools.count())

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture
def quiet(caplog):
    """Nothing that a stranger sends may be an error of ours."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class Broker:
    """A broker in an event loop of its own, which hypothesis's examples share."""

    def __init__(self, data):
        self.loop = asyncio.new_event_loop()
        self._context = broker_here(data)
        self.url = self.run(self._context.__aenter__()).url

    def run(self, coroutine):
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 20))

    def close(self):
        self.run(self._context.__aexit__(None, None, None))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


@pytest.fixture
def broker(tmp_path, quiet):
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.close()


async def alive(url):
    """Check that the broker still serves everybody else."""
    async with Device(next(NAMES)).signed_in(url) as wire:
        assert (await wire.call("edges"))["edges"] == []


async def spoken(socket, *messages):
    """Send messages and return every frame that comes back until the broker ends the session."""
    frames = []
    try:
        for message in messages:
            await socket.send(message)
        while True:
            frames += decode_message(await socket.recv(decode=False))
    except ConnectionClosed:
        return frames


def framed(kind, head, tail=b"", *, head_bytes=None, length=None):
    """Write one frame as a careless or hostile program would."""
    body = struct.pack(">BH", kind, len(head) if head_bytes is None else head_bytes) + head + tail
    return struct.pack(">I", len(body) if length is None else length) + body


RAW_FRAMES = st.builds(
    framed,
    st.integers(0, 255),
    st.binary(max_size=40) | JSON.map(dumps),
    st.binary(max_size=60) | JSON.map(dumps),
    head_bytes=st.none() | st.integers(0, 0xFFFF),
    length=st.none() | st.integers(0, 2**32 - 1),
)
MESSAGES = st.binary(max_size=200) | st.lists(RAW_FRAMES, max_size=4).map(b"".join) | st.text(max_size=50)


class TestFrames:
    @OFTEN
    @given(st.lists(MESSAGES, min_size=1, max_size=3))
    @example([b""])
    @example([b"\0" * 4])
    @example([b"\xff" * 8])
    def test_before_the_proof(self, broker, messages):
        async def talk():
            async with dial(broker.url) as socket:
                first, *rest = await spoken(socket, *messages, b"\xff")
                assert isinstance(first, Challenge)
                assert all(isinstance(frame, Rejected) and frame.status < 500 for frame in rest)
            await alive(broker.url)

        broker.run(talk())

    @OFTEN
    @given(st.lists(MESSAGES, min_size=1, max_size=3))
    @example([framed(5, b'{"ref":1}', b"not an envelope"), framed(5, b'{"ref":1}', b"DSP1")])
    @example([framed(9, b'{"op":"edges","ref":1}', b"{}") * 10])
    @example([framed(8, b'{"seqs":[1]}') * 10])
    @example([framed(1, b"{}")])
    def test_while_the_session_is_open(self, broker, messages):
        async def talk():
            async with Device(next(NAMES)).signed_in(broker.url) as wire:
                for message in messages:
                    try:
                        await wire.socket.send(message)
                    except ConnectionClosed:
                        break
                await wire.socket.close()
            await alive(broker.url)

        broker.run(talk())

    @pytest.mark.parametrize(
        "frame",
        [
            Welcome("token", 1, "epoch", 1),
            Deposited(1),
            Deliver(1, b"x"),
            Answer(1, {}),
            Notice("drain", {}),
            Rejected(None, "malformed", 400, "no"),
            Challenge(bytes(32), "epoch", "http://x", 1),
        ],
        ids=lambda frame: type(frame).__name__,
    )
    @pytest.mark.parametrize("open_first", [False, True])
    def test_a_device_does_not_speak_as_a_relay(self, broker, frame, open_first):
        async def talk():
            if open_first:
                async with Device(next(NAMES)).signed_in(broker.url) as wire:
                    await wire.socket.send(b"".join(encode_messages([frame])))
                    assert (await wire.end()).code == "bad_frame"
            else:
                async with dial(broker.url) as socket:
                    *_, last = await spoken(socket, b"".join(encode_messages([frame])))
                    assert (last.code, last.status) == ("bad_frame", 400)
            await alive(broker.url)

        broker.run(talk())

    @pytest.mark.parametrize("frame", [Deposit(1, b"x"), Call(1, "edges", {}), Ack((1,))])
    def test_nothing_is_done_before_the_proof(self, broker, frame):
        async def talk():
            async with dial(broker.url) as socket:
                *_, last = await spoken(socket, b"".join(encode_messages([frame])))
                assert (last.code, last.status) == ("bad_frame", 400)

        broker.run(talk())

    def test_one_number_for_two_requests_ends_the_session(self, broker):
        async def talk():
            alice, bob = Device(next(NAMES)), Device(next(NAMES))
            async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
                edge = await befriend(a, b)
                await a.send_raw(*[Deposit(77, alice.envelope(bob, edge)) for _ in range(2)])
                assert (await a.end()).status == 400

        broker.run(talk())

    def test_text_ends_the_session(self, broker):
        async def talk():
            async with Device(next(NAMES)).signed_in(broker.url) as wire:
                await wire.socket.send("{}")
                assert (await wire.end()).code == "malformed"

        broker.run(talk())

    def test_a_message_of_very_many_frames_is_refused_before_it_is_read(self, broker):
        async def talk():
            async with Device(next(NAMES)).signed_in(broker.url) as wire:
                await wire.socket.send(b"\0\0\0\0" * (MESSAGE_FRAMES + 1))
                assert "frames" in (await wire.end()).detail

        broker.run(talk())

    def test_a_message_that_is_too_large_ends_the_session(self, broker):
        async def talk():
            async with Device(next(NAMES)).signed_in(broker.url) as wire:
                await wire.socket.send(bytes(MESSAGE_BYTES + 1))
                await wire.end()
                assert wire.socket.close_code == 1009
            await alive(broker.url)

        broker.run(talk())

    def test_what_was_asked_before_a_broken_frame_is_still_done(self, broker):
        async def talk():
            alice, bob = Device(next(NAMES)), Device(next(NAMES))
            async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
                envelope = alice.envelope(bob, await befriend(a, b))
                (message,) = encode_messages([Deposit(99, envelope)])
                await a.socket.send(message)
                await a.socket.send(b"\xff")
                assert (await b.delivery()).envelope == envelope

        broker.run(talk())

    @OFTEN
    @given(st.data())
    def test_a_broken_envelope_is_refused_and_the_session_stays(self, broker, data):
        async def talk():
            alice, bob = Device(next(NAMES)), Device(next(NAMES))
            async with alice.signed_in(broker.url) as a, bob.signed_in(broker.url) as b:
                raw = bytearray(alice.envelope(bob, await befriend(a, b)))
                for _ in range(data.draw(st.integers(1, 4))):
                    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
                cut = bytes(raw[: data.draw(st.integers(1, len(raw)))])
                answer = await a.send_raw(Deposit(99, cut))
                assert len((await a.call("edges"))["edges"]) == 1
                assert answer.exception() is None or answer.exception().status < 500

        broker.run(talk())

    @OFTEN
    @given(
        st.sampled_from([*OPERATIONS, "nothing"]),
        st.dictionaries(
            st.sampled_from(
                [
                    "document",
                    "to_email",
                    "emailed",
                    "invitation_id",
                    "edge_id",
                    "max_per_day",
                    "expires_ms",
                    "genesis",
                    "other",
                ]
            ),
            JSON,
            max_size=6,
        ),
    )
    def test_any_arguments_of_any_call_get_an_answer(self, broker, op, arguments):
        async def talk():
            async with Device(next(NAMES)).signed_in(broker.url) as wire:
                answer = await wire.send_raw(Call(5, op, arguments))
                await wire.call("edges")
                assert answer.exception() is None or answer.exception().status < 500

        broker.run(talk())


class TestHttp:
    @OFTEN
    @given(
        st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
        st.sampled_from(["/health", "/v1/login/dev", "/v1/session", "/v1/chains/", "/i/", "/"]),
        st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), max_size=30),
        st.binary(max_size=100) | JSON.map(dumps),
        st.sampled_from(["application/json", "text/plain", "application/json; charset=utf-7", ""]),
    )
    def test_any_request_gets_an_answer_below_500(self, broker, method, path, rest, body, media):
        async def ask():
            async with aiohttp.ClientSession() as client:
                request = client.request(
                    method, broker.url + path + rest, data=body, headers={"Content-Type": media}
                )
                async with request as response:
                    await response.read()
                    assert response.status < 500

        broker.run(ask())

    @OFTEN
    @given(st.binary(min_size=1, max_size=300))
    @example(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n")
    @example(b"GET / HTTP/9.9\r\n\r\n")
    @example(b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    @example(b"POST /v1/login/dev HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    @example(
        b"GET /v1/session HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    )
    @example(
        b"GET /v1/session HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: no\r\n\r\n"
    )
    @example(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
    @example(b"GET /i/%ff%fe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    def test_any_bytes_get_an_answer_below_500(self, broker, data):
        async def ask():
            host, port = broker.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            assert not answer or int(answer.split()[1]) < 500

        broker.run(ask())
