"""The broker's WebSocket below its frames, and proofs that are almost right, against the real program.

What a session's frames may be is tried in `tests/integration/broker/test_hostile.py`. Here a stranger writes WebSocket
by hand, and a device's honest greeting is bent a little: nothing of it opens a session, takes memory, or costs anybody
else theirs.
"""

import asyncio
import base64
import contextlib
import itertools
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from dispatch_protocol.frames import Challenge, Frame, Rejected, Welcome
from dispatch_protocol.framing import decode_message, encode_messages
from dispatch_protocol.limits import MESSAGE_BYTES
from tests.support.device import Device, dial
from tests.support.neighbourhood import Broker

OFTEN = settings(
    max_examples=int(os.environ.get("DISPATCH_TEST_EXAMPLES", "60")),
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
NAMES = (f"bent-{number}" for number in itertools.count())
ENOUGH_S = 20.0
ENDLESS = 128 * 1024 * 1024  # bytes of one message


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    program = Broker(tmp_path_factory.mktemp("broker"))
    program.start()
    try:
        yield program
        log = program.log.read_text()
        assert "traceback" not in log
        assert '"level": "error"' not in log
    finally:
        program.stop()


async def alive(broker: Broker) -> None:
    """Check that a device of good faith still gets its session."""
    async with Device(next(NAMES)).signed_in(broker.url) as wire:
        assert (await wire.call("edges"))["edges"] == []


def most_memory(broker: Broker) -> int:
    """Return the most memory that the broker has ever held, in bytes."""
    assert broker.process is not None
    lines = Path(f"/proc/{broker.process.pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) * 1024


def framed(first: int, payload: bytes, *, masked: bool = True, length: int | None = None) -> bytes:
    """Write one WebSocket frame (RFC 6455, section 5.2), with any first byte and any claim about its length."""
    stated = len(payload) if length is None else length
    mark = 0x80 if masked else 0
    if stated < 126:
        size = bytes([mark | stated])
    elif stated < 65_536:
        size = bytes([mark | 126]) + struct.pack(">H", stated)
    else:
        size = bytes([mark | 127]) + struct.pack(">Q", stated)
    return bytes([first]) + size + (bytes(4) if masked else b"") + payload  # a mask of zeros changes nothing


async def upgraded(broker: Broker) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a WebSocket by hand and read the broker's challenge."""
    place = broker.url.removeprefix("http://")
    host, port = place.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = base64.b64encode(bytes(16)).decode()
    writer.write(
        f"GET /v1/session HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    first, size = await reader.readexactly(2)
    assert first == 0x82
    length = size if size < 126 else struct.unpack(">H", await reader.readexactly(2))[0]
    (challenge,) = decode_message(await reader.readexactly(length))
    assert isinstance(challenge, Challenge)
    return reader, writer


async def outcome(broker: Broker, *pieces: bytes) -> bytes:
    """Write pieces to a new WebSocket and return what comes back until the broker hangs up."""
    reader, writer = await upgraded(broker)
    try:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(ENOUGH_S):
                return await reader.read()
        return b""
    finally:
        writer.close()


PROTOCOL, NO_TEXT, POLICY, TOO_BIG = 1002, 1007, 1008, 1009
BROKEN = {
    "a reserved bit": (framed(0xC2, b"x"), PROTOCOL),
    "all reserved bits": (framed(0xF2, b"x"), PROTOCOL),
    "an unknown kind": (framed(0x83, b"x"), PROTOCOL),
    "an unknown control frame": (framed(0x8B, b"x"), PROTOCOL),
    "a continuation of nothing": (framed(0x80, b"x"), PROTOCOL),
    "a ping in two parts": (framed(0x09, b"x"), PROTOCOL),
    "a ping that is too long": (framed(0x89, bytes(126)), PROTOCOL),
    "a second beginning": (framed(0x02, b"x") + framed(0x82, b"x"), PROTOCOL),
    "a length beyond the limit": (framed(0x82, b"", length=MESSAGE_BYTES + 1), TOO_BIG),
    "a length beyond any": (framed(0x82, b"", length=2**63 - 1), TOO_BIG),
    "a negative length": (framed(0x82, b"", length=2**64 - 1), TOO_BIG),
    "parts beyond the limit": (
        framed(0x02, bytes(MESSAGE_BYTES // 2)) + framed(0x80, b"", length=MESSAGE_BYTES),
        TOO_BIG,
    ),
    "a close of one byte": (framed(0x88, b"x"), PROTOCOL),
    "a close for no reason there is": (framed(0x88, struct.pack(">H", 1005)), PROTOCOL),
    "text that is none": (framed(0x81, b"\xff"), NO_TEXT),
    "text": (framed(0x81, b"{}"), POLICY),
    "an empty message": (framed(0x82, b""), POLICY),
}


@pytest.mark.parametrize(("said", "code"), BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_no_websocket_ends_it(broker: Broker, said: bytes, code: int) -> None:
    assert (await outcome(broker, said)).endswith(b"\x88\x02" + struct.pack(">H", code))
    await alive(broker)


@OFTEN
@given(said=st.binary(min_size=1, max_size=80), first=st.integers(0, 255), masked=st.booleans())
def test_any_bytes_after_the_upgrade_cost_nobody_else(
    broker: Broker, said: bytes, first: int, masked: bool
) -> None:
    async def talk() -> None:
        _, writer = await upgraded(broker)
        writer.write(framed(first, said, masked=masked) + said)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await alive(broker)

    asyncio.run(talk())


@pytest.mark.parametrize("size", [64 * 1024, 0], ids=["large parts", "empty parts"])
async def test_a_message_that_never_ends_takes_no_memory(broker: Broker, size: int) -> None:
    before = most_memory(broker)
    piece = framed(0x00, bytes(size)) * (1 if size else 10_000)
    await outcome(
        broker, framed(0x02, b"x"), *itertools.repeat(piece, ENDLESS // len(piece)), framed(0x88, b"")
    )
    assert most_memory(broker) - before < ENDLESS // 4
    await alive(broker)


@dataclass(frozen=True)
class Bend:
    """One change of a message: how, how far along it (of 65,536), and with what."""

    how: str
    along: int
    number: int
    strange: bytes

    def __call__(self, message: bytes) -> bytes:
        at = self.along * len(message) >> 16
        match self.how:
            case "bit":
                return message[:at] + bytes([message[at] ^ 1 << self.number]) + message[at + 1 :]
            case "cut":
                return message[:at]
            case "less":
                return message[:at] + message[at + 1 + self.number :]
            case "more":
                return message[:at] + self.strange + message[at:]
            case _:
                return message + message


BENDS = st.builds(
    Bend,
    st.sampled_from(["bit", "cut", "less", "more", "twice"]),
    st.integers(0, 65_535),
    st.integers(0, 7),
    st.binary(min_size=1, max_size=8),
)


async def greeted(broker: Broker, device: Device, bend: Callable[[bytes], bytes]) -> list[Frame]:
    """Answer the challenge with a bent greeting; return every frame that comes before the end or a welcome."""
    token = await device.login(broker.url)
    async with dial(broker.url) as socket:
        (challenge,) = decode_message(await socket.recv(decode=False))
        assert isinstance(challenge, Challenge)
        (message,) = encode_messages([device.hello(challenge, broker.url, token)])
        await socket.send(bend(message))
        frames: list[Frame] = []
        with contextlib.suppress(ConnectionClosed):
            while not any(isinstance(frame, Welcome) for frame in frames):
                frames += decode_message(await asyncio.wait_for(socket.recv(decode=False), ENOUGH_S))
        return frames


@OFTEN
@given(bend=BENDS)
def test_a_greeting_that_was_changed_anywhere_opens_nothing(broker: Broker, bend: Bend) -> None:
    frames = asyncio.run(greeted(broker, Device(next(NAMES)), bend))
    (refused,) = frames
    assert isinstance(refused, Rejected)
    assert refused.status < 500


async def test_the_same_greeting_unchanged_opens_a_session(broker: Broker) -> None:
    (welcome,) = await greeted(broker, Device(next(NAMES)), lambda message: message)
    assert isinstance(welcome, Welcome)
