"""Attacks on the session itself: frames out of their place, answers to other questions, noise, and moved proofs."""

import asyncio
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.client import connect

from dispatch_protocol.frames import Answer, Challenge, Deposited, Rejected, Welcome
from dispatch_protocol.framing import decode_message, encode_frame
from dispatch_protocol.limits import MESSAGE_BYTES
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import TASK
from tests.support.hostile_broker.village import Village
from tests.support.neighbourhood import Broker
from tests.support.patience import poll

CHAPTER: list[Attack] = []
_LENGTH = struct.Struct(">I")


def framed(kind: int, head: bytes, tail: bytes = b"") -> bytes:
    """Return a message of one frame with any head and tail."""
    frame = struct.pack(">BH", kind, len(head)) + head + tail
    return _LENGTH.pack(len(frame)) + frame


def ends_each(village: Village, messages: list[bytes | str]) -> None:
    """Send Alice each of these messages; each must end her session, in words, and she dials again."""
    alice, broker = village.alice, village.broker
    for message in messages:
        before, log = broker.sessions(alice.address), len(alice.log)
        broker.write(alice.address, message)
        broker.comes_back(alice.address, before)
        assert "relay offline: " in alice.log[log:]


def whole(frame: Any) -> bytes:
    """Return a message of one honest frame."""
    raw = encode_frame(frame)
    return _LENGTH.pack(len(raw)) + raw


@attack(
    CHAPTER,
    "frames out of their place",
    does="challenges and welcomes in the middle of a session, answers and confirms what nobody asked",
    outcome=Outcome.DETECTED,
    seen="`what answers there breaks the rules of a session (bad_frame)` in the daemon's state; it dials again",
)
def out_of_place(village: Village) -> None:
    frames = (
        Challenge(b"c" * 32, "epoch", village.broker.url, 1),
        Welcome("token", 1, "epoch", 1),
        Answer(9_999, {"links": []}),
        Deposited(9_999),
        Rejected(9_999, "no_edge", 403, ""),
    )
    log = len(village.alice.log)
    ends_each(village, [whole(frame) for frame in frames])
    village.alice.notes("breaks the rules of a session (bad_frame)", log)


@attack(
    CHAPTER,
    "noise on the wire",
    does="sends text, nothing, cut frames, unknown kinds, doubled keys, NaN, broken UTF-8, JSON 100,000 deep",
    outcome=Outcome.DETECTED,
    seen="`breaks the rules of a session` in the daemon's state; it dials again and goes on",
)
def noise(village: Village) -> None:
    deep = b'{"a":' * 100_000
    messages: list[bytes | str] = [
        "hello",
        b"\0\0\0",
        b"\xff\xff\xff\xff",
        _LENGTH.pack(0),
        framed(12, b"{}"),
        framed(0, b"{}"),
        framed(11, b'{"kind":"edges","kind":"edges"}', b"{}"),
        framed(7, b'{"seq":NaN}', b"x"),
        framed(11, b'{"kind":"\xff"}', b"{}"),
        framed(11, b'{"kind":"edges"}', deep),
        framed(11, b'{"kind":"edges"}', b"[" * 1_000_000),
        framed(11, b'{"kind":"edges"}', b'{"a":"\\ud800"}'),
        framed(7, json.dumps({"seq": -1}).encode(), b"x"),
    ]
    ends_each(village, messages)


@attack(
    CHAPTER,
    "too much at once",
    does="sends one message of three megabytes, and an envelope larger than any may be",
    outcome=Outcome.DETECTED,
    seen="the session ends and begins anew; nothing of it is kept",
)
def oversize(village: Village) -> None:
    ends_each(
        village,
        [
            framed(7, b'{"seq":1}', b"x" * MESSAGE_BYTES),
            framed(7, b'{"seq":1}', b"x" * (MESSAGE_BYTES * 3 // 4)),
        ],
    )


@attack(
    CHAPTER,
    "answers to other questions",
    does="answers a question for edges with a chain, one for a chain with edges, and a deposit with an answer",
    outcome=Outcome.DETECTED,
    seen="each question fails in words or shows one's own records; the task is given again and arrives once",
)
def crossed(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with broker.doing("answer", "Answer", alice.address, give={"links": []}, op="edges") as crossing:
        poll(lambda: alice.edge(village.edge) is not None and crossing.taken, "it is asked for and shown")
    token = village.invite(bob, alice.address)
    give = {"edges": [{"edge_id": village.edge}]}
    with broker.doing("answer", "Answer", alice.address, give=give, op="chain") as crossing:
        alice.refused("/v1/invitations/accept", **village.granted(token))
        crossing.done()
    alice.post("/v1/invitations/decline", token=token)
    with broker.doing(
        "answer", "Deposited", alice.address, give={"op": "deposit"}, times=1, klass=TASK
    ) as crossing:
        dispatch_id = alice.send(bob, "Once, please")
        crossing.done()
    alice.shows(dispatch_id, "delivered")
    assert [each["dispatch_id"] for each in bob.box("inbox")].count(dispatch_id) == 1


@attack(
    CHAPTER,
    "false verdicts",
    does="ends Carol's session with `counter_reused`, as if her home had been copied",
    outcome=Outcome.DETECTED,
    seen="Carol reads that this home is a copy and was refused, and signs in again: the broker gained a delay",
)
def verdicts(village: Village) -> None:
    alice, carol, broker = village.alice, village.carol, village.broker
    broker.say(carol.address, Rejected(None, "counter_reused", 409, "two homes"))
    log = carol.notes("relay refused: ")
    assert "two homes" in log
    assert "two homes" in carol.reads("daemon", "status") + carol.reads("doctor")
    before = broker.sessions(carol.address)
    carol.post("/v1/login", broker=broker.url, email=carol.address, dev=True)
    broker.comes_back(carol.address, before)
    dispatch_id = alice.send(carol, "Are you back?")
    alice.shows(dispatch_id, "delivered")


@attack(
    CHAPTER,
    "a proof passed on",
    does="gives Alice the challenge of another broker, with that one's address, and shows her proof there",
    outcome=Outcome.DETECTED,
    seen="the other broker answers `proof_mismatch`: her proof names the address that she dialled",
)
def passed_on(village: Village) -> None:
    with honest_broker(village) as url:
        assert asyncio.run(relayed(village, url)) == "proof_mismatch"


@contextmanager
def honest_broker(village: Village) -> Iterator[str]:
    """Run an honest broker beside the village for the length of a block."""
    directory = village.directory / "elsewhere"
    directory.mkdir(exist_ok=True)
    broker = Broker(directory)
    try:
        yield broker.start()
    finally:
        broker.stop()


async def relayed(village: Village, url: str) -> str:
    """Let Alice sign another broker's challenge, show the proof there, and return what it says."""
    alice, broker = village.alice, village.broker
    async with connect(f"ws{url.removeprefix('http')}/v1/session", proxy=None) as there:
        message = await there.recv()
        assert isinstance(message, bytes)
        (challenge,) = decode_message(message)
        assert isinstance(challenge, Challenge)
        give = {"challenge": challenge.challenge.hex(), "broker_url": url}
        said = len(broker.order("hellos"))
        with broker.doing("set", "Challenge", give=give, times=1) as lied:
            await asyncio.to_thread(broker.order, "cut", party=alice.address)
            while len(broker.order("hellos")) == said:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
            lied.done()
        await there.send(bytes.fromhex(broker.order("hellos")[said][1]))
        verdict = await there.recv()
    assert isinstance(verdict, bytes)
    (refused,) = decode_message(verdict)
    assert isinstance(refused, Rejected)
    broker.is_there(alice.address)
    return refused.code


@attack(
    CHAPTER,
    "a deposit answered twice",
    does="confirms every deposit of Alice's three times",
    outcome=Outcome.DETECTED,
    seen="the session ends (`bad_frame`) and begins anew; each task arrives once",
)
def twice(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    before, log = broker.sessions(alice.address), len(alice.log)
    with broker.doing("repeat", "Deposited", alice.address, give=3, times=1, klass=TASK) as repeated:
        dispatch_id = alice.send(bob, "Say that again")
        repeated.done()
        broker.comes_back(alice.address, before)
    alice.notes("bad_frame", log)
    alice.shows(dispatch_id, "delivered")
    given = [parcel.digest for parcel in broker.archive(klass=TASK, to=bob.address)]
    assert alice.digest(dispatch_id) in given
    assert [each["dispatch_id"] for each in bob.box("inbox")].count(dispatch_id) == 1
