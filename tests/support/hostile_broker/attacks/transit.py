"""Attacks on the bytes of an envelope on its way; only the broker's own machine is needed for them."""

from dispatch_protocol.envelope import Envelope
from dispatch_protocol.keys import Digest, EdgeId
from tests.support.hostile_broker.accomplice import Accomplice
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import TASK
from tests.support.hostile_broker.village import Village
from tests.support.speaker import relabelled

CHAPTER: list[Attack] = []


def in_its_place(village: Village, *forged: bytes, task: str) -> None:
    """Deliver forged envelopes before the true one, which is then let through: only that one may arrive."""
    alice, bob, broker = village.alice, village.bob, village.broker
    before = len(bob.box("inbox"))
    broker.deliver(bob.address, *forged)
    assert len(bob.box("inbox")) == before
    assert not bob.has(task)
    del alice


def held_task(village: Village) -> tuple[str, bytes]:
    """Let Alice send a task that the broker keeps back; returns its id and its envelope."""
    alice, broker = village.alice, village.broker
    dispatch_id = alice.send(village.bob, "Carry this home")
    return dispatch_id, broker.waits_for(klass=TASK, digest=alice.digest(dispatch_id))[0].raw


def instead_of_the_task(village: Village, forge: object, *words: str) -> None:
    """Deliver what `forge` makes of a task before the task itself; Bob's log names it, and only the task arrives."""
    assert callable(forge)
    alice, bob, broker = village.alice, village.bob, village.broker
    before, log = len(bob.box("inbox")), len(bob.log)
    with broker.doing("hold", "Deliver", bob.address, klass=TASK) as held:
        dispatch_id, raw = held_task(village)
        held.holds(1)
        broker.deliver(bob.address, *forge(raw))
        assert len(bob.box("inbox")) == before
        assert not bob.has(dispatch_id)
        for word in words:
            bob.notes(word, log)
        held.release()
    alice.shows(dispatch_id, "delivered")
    assert len(bob.box("inbox")) == before + 1


@attack(
    CHAPTER,
    "one bit changed",
    does="flips one bit in every fortieth byte of a task and delivers each copy before the true one",
    outcome=Outcome.DETECTED,
    seen="Bob's log names the step that refused each copy; his inbox shows the true task alone",
)
def flip(village: Village) -> None:
    def forge(raw: bytes) -> list[bytes]:
        return [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(0, len(raw), 40)]

    instead_of_the_task(village, forge, "unwrap_failed", "ciphertext_bad", "no envelope")


@attack(
    CHAPTER,
    "cut short and drawn out",
    does="delivers a task without its last byte, with one byte more, its header alone, and noise of its length",
    outcome=Outcome.DETECTED,
    seen="Bob's log counts the bytes that are no envelope",
)
def cut(village: Village) -> None:
    def forge(raw: bytes) -> list[bytes]:
        return [raw[:-1], raw + b"\0", raw[:235], b"DSP1" + b"\xff" * (len(raw) - 4), b"x"]

    instead_of_the_task(village, forge, "that are no envelope")


@attack(
    CHAPTER,
    "another label",
    does="rewrites the clear header of a task: a later end, another time, edge, subject, author, class or digest",
    outcome=Outcome.DETECTED,
    seen="Bob's log refuses each; the end that Bob sees is the one that Alice signed",
)
def relabel(village: Village) -> None:
    def forge(raw: bytes) -> list[bytes]:
        header = Envelope.decode(raw).header
        changes: list[dict[str, object]] = [
            {"expires_ms": header.expires_ms + 3_600_000},
            {"expires_ms": 0},
            {"created_ms": header.created_ms + 60_000},
            {"edge": EdgeId(b"e" * 16)},
            {"re": Digest(b"r" * 32)},
            {"from_device": header.devices[0]},
            {"klass": 3},
            {"digest": Digest(b"d" * 32)},
        ]
        return [relabelled(raw, **change) for change in changes]

    instead_of_the_task(village, forge, "unwrap_failed")


@attack(
    CHAPTER,
    "another key inside",
    does="puts the sealed key of an earlier task in the place of this one's",
    outcome=Outcome.DETECTED,
    seen="Bob's log: `unwrap_failed`",
)
def other_wrap(village: Village) -> None:
    earlier = village.broker.archive(klass=TASK, to=village.bob.address)
    if not earlier:
        village.honest()
        earlier = village.broker.archive(klass=TASK, to=village.bob.address)

    def forge(raw: bytes) -> list[bytes]:
        true, old = Envelope.decode(raw), Envelope.decode(earlier[0].raw)
        return [
            Envelope(true.header, old.wraps, true.ciphertext).encode(),
            Envelope(true.header, true.wraps, old.ciphertext).encode()
            if len(old.ciphertext) == len(true.ciphertext)
            else raw[:-1],
        ]

    instead_of_the_task(village, forge, "unwrap_failed")


@attack(
    CHAPTER,
    "the neighbour's mailbox",
    does="delivers Bob's task to Carol and to Alice herself",
    outcome=Outcome.DETECTED,
    seen="their logs: `not_listed`; neither inbox shows anything",
)
def neighbour(village: Village) -> None:
    alice, carol, broker = village.alice, village.carol, village.broker
    dispatch_id = village.arrived("For Bob alone")
    raw = broker.archive(klass=TASK, digest=alice.digest(dispatch_id))[0].raw
    logs = {person: len(person.log) for person in (alice, carol)}
    for person in (alice, carol):
        broker.deliver(person.address, raw)
        person.notes("not_listed", logs[person])
    assert not carol.has(dispatch_id)
    assert alice.state(dispatch_id)["box"] == "sent"


@attack(
    CHAPTER,
    "handed on to another",
    does="lets an accomplice whom Alice trusts seal Alice's signed task, word for word, anew to Bob",
    outcome=Outcome.DETECTED,
    seen="Bob's inbox marks it refused (`header_mismatch`); Alice still waits for the accomplice, whom she asked",
)
def handed_on(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    mallory = Accomplice("mallory", village, alice)
    mallory.may_be_sent()
    dispatch_id = alice.send(mallory.device.address, "Only you may read this")
    parcel = broker.waits_for(klass=TASK, digest=alice.digest(dispatch_id))[0]
    signed = mallory.heard(parcel.raw)
    to_bob = Accomplice("mallory", village, bob)
    header = Envelope.decode(parcel.raw).header
    log = len(bob.log)
    for edge in (village.edge, parcel.edge):
        raw = to_bob.enveloped(
            signed,
            None,
            from_device=header.from_device,
            edge=EdgeId.from_uuid(edge),
            created_ms=header.created_ms,
            expires_ms=header.expires_ms,
        )
        broker.deliver(bob.address, raw)
    bob.notes("header_mismatch", log)
    shown = [each for each in bob.box("inbox") if each["dispatch_id"] == dispatch_id]
    assert [each["status"] for each in shown] in ([], ["refused"])
    broker.heard_by(alice.address)
    assert alice.state(dispatch_id)["status"] == "sent"
