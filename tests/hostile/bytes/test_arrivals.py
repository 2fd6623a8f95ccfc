"""Every envelope that must not open arrives at a daemon: it is refused with its code, and told to whom it concerns.

The envelopes are the vectors': forged, altered, cut, extended, wrongly addressed, sealed again, replayed, expired, from
revoked devices, of unknown suites, types and versions, and each is delivered between two honest ones of somebody else.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch_protocol.encoding import unb64u
from dispatch_protocol.envelope import Envelope, EnvelopeClass
from dispatch_protocol.errors import ANSWERABLE, MalformedError
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.signing import sign
from tests.support.besieged_desk import Desk, codes, desk_of, receipts
from tests.support.vectors import world
from tests.support.vectors.files import load
from tests.support.vectors.forge import flip, forge, head_to_bob, signed_by
from tests.support.vectors.opened import TO_BOB
from tests.support.vectors.opening import Book

BOOK = Book(load("refusals.json"))
CASES = {
    name: case
    for name, case in BOOK.cases.items()
    if case["first_contact"] is None and case["device"] == "bob laptop" and not case["standing"]["seen"]
}
TYPES = {
    "unsupported": ReceiptType.UNSUPPORTED,
    "mandate_unsupported": ReceiptType.UNSUPPORTED,
    "stale_chain": ReceiptType.STALE_CHAIN,
    "expired": ReceiptType.EXPIRED,
}


def known_here(case: dict[str, Any]) -> bool:
    """Say whether a daemon finds the author's chain by the edge that the header names: its own one, or one it holds."""
    edge, peer = case["standing"]["edge"], case["standing"]["peer"]
    try:
        named = Envelope.decode(unb64u(case["envelope"])).header.edge.hex
    except MalformedError:
        return False
    if named == EdgeId.SELF.hex:
        return peer is not None and peer["identity"] == "bob"
    alice = world.ALICE.genesis.hex
    return (
        edge is not None
        and peer is not None
        and edge["edge"] == named
        and alice in (edge["dispatcher"], edge["trustor"])
        and edge["dispatcher"] != world.MALLORY.genesis.hex
        and peer["identity"] == "alice"
    )


def expected(case: dict[str, Any]) -> str:
    """Return the code with which a daemon refuses a vector: whoever has no edge here is nobody that is known."""
    return case["outcome"] if case["step"] < 7 or known_here(case) else "signer_unknown"


def is_task_of_another(raw: bytes) -> bool:
    """Say whether an envelope that can be read holds a task that is not one of Bob's own."""
    header = Envelope.decode(raw).header
    return header.klass is EnvelopeClass.TASK and header.edge != EdgeId.SELF


@pytest.mark.parametrize("name", CASES)
async def test_it_is_refused_with_its_code_and_told_to_nobody_else(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    raw, code = unb64u(case["envelope"]), expected(case)
    with caplog.at_level(logging.WARNING), desk_of(tmp_path, BOOK.standing(case)) as desk:
        if case["standing"]["id_taken"]:
            desk.squat(raw)
        await desk.incoming.deliver(desk.from_the_neighbour("before"))
        before = len(desk.inbox())
        await desk.incoming.deliver(raw)
        await desk.incoming.deliver(desk.from_the_neighbour("after"))

        assert codes(caplog) == [code]
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        neighbours = receipts(desk, world.MALLORY.genesis)
        assert [receipt.type for receipt in neighbours] == [ReceiptType.DELIVERED] * 2
        told = receipts(desk, world.ALICE.genesis)
        answered = code in ANSWERABLE and is_task_of_another(raw)
        assert [(each.type, each.code) for each in told] == (
            [(TYPES.get(code, ReceiptType.REFUSED), code)] if answered else []
        )
        assert len(desk.told()) == 2 + len(told)
        assert desk.unlogged() == set()
        assert len(desk.inbox()) <= before + 2

        # What was refused once is answered once, however often it comes.
        await desk.incoming.deliver(raw)
        await desk.incoming.deliver(raw)
        assert len(receipts(desk, world.ALICE.genesis)) == len(told)


def test_every_code_of_the_list_arrives() -> None:
    """Nobody adds a code to the list without an envelope that a daemon refuses with it."""
    arriving = {expected(case) for case in CASES.values()}
    wanted = {case["outcome"] for case in BOOK.cases.values() if case["first_contact"] is None}
    assert wanted - arriving <= {"replayed", "invitation_used"}  # a test of its own, and a first contact


async def test_a_replay_is_answered_as_it_was_the_first_time_and_done_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = world.task("replayed", head_to_bob("replayed"))
    signed = signed_by(world.ALICE_LAPTOP, task)
    with caplog.at_level(logging.WARNING), desk_of(tmp_path) as desk:
        raw = forge("replayed", signed, task, [desk.machine.recipient])
        again = forge("replayed, sealed again", signed, task, [desk.machine.recipient])
        await desk.incoming.deliver(raw)
        first = receipts(desk, world.ALICE.genesis)
        for each in (raw, again, raw):
            await desk.incoming.deliver(each)
        # Neither its expiry nor anything else that has changed since makes another answer of it.
        desk.clock.stands_ms += 30 * 24 * world.HOUR_MS
        await desk.incoming.deliver(again)
        assert codes(caplog) == ["replayed"] * 4
        assert receipts(desk, world.ALICE.genesis) == first
        assert [receipt.type for receipt in first] == [ReceiptType.DELIVERED]
        assert len(desk.inbox()) == 1


class TestAFalseDigest:
    """A header may name any digest: until step 10 it is a claim, and nothing is done in the name of what it claims."""

    async def test_does_not_undo_what_was_taken_in(self, tmp_path: Path) -> None:
        task = world.task("twice", head_to_bob("twice"))
        signed = signed_by(world.ALICE_LAPTOP, task)
        with desk_of(tmp_path) as desk:
            to = [desk.machine.recipient]
            await desk.incoming.deliver(forge("twice", signed, task, to))
            false = {"header": lambda header: replace(header, digest=Digest(bytes(32)))}
            await desk.incoming.deliver(forge("twice again", signed, task, to, **false))
            assert [record.state for record in desk.inbox()] == [DispatchState.DELIVERED]
            assert [each.type for each in receipts(desk, world.ALICE.genesis)] == [ReceiptType.DELIVERED]

    async def test_squats_nobody_elses_id(self, tmp_path: Path) -> None:
        """Alice and a relay that tells her the neighbour's digest: an unreadable document comes first, in its name."""
        with desk_of(tmp_path) as desk:
            honest = desk.from_the_neighbour("squatted")
            digest = Envelope.decode(honest).header.digest
            task = world.task("squatter", head_to_bob("squatter"))
            odd = sign(world.ALICE_LAPTOP.sign, "application/vnd.dispatch.task.v2+json", b"{}")
            claim = {"header": lambda header: replace(header, digest=digest)}
            await desk.incoming.deliver(forge("squatter", odd, task, [desk.machine.recipient], **claim))
            (told,) = receipts(desk, world.ALICE.genesis)
            assert (told.type, told.head.re) == (ReceiptType.UNSUPPORTED, odd.digest)
            await desk.incoming.deliver(honest)
            (delivered,) = receipts(desk, world.MALLORY.genesis)
            assert (delivered.type, delivered.seq, delivered.head.re) == (ReceiptType.DELIVERED, 1, digest)


class TestEveryBit:
    """Whatever one bit of an honest envelope is changed on the way, it is dropped in silence; the honest one opens."""

    async def damaged(self, desk: Desk, damaged: Iterator[bytes], honest: bytes) -> int:
        count = 0
        for raw in damaged:
            await desk.incoming.deliver(raw)
            count += 1
        assert desk.told() == []
        assert desk.inbox() == []
        await desk.incoming.deliver(honest)
        assert [receipt.type for receipt in receipts(desk, world.ALICE.genesis)] == [ReceiptType.DELIVERED]
        return count

    def honest(self, desk: Desk) -> bytes:
        task = world.task("whole", head_to_bob("whole"))
        return forge("whole", signed_by(world.ALICE_LAPTOP, task), task, [desk.machine.recipient])

    async def test_flipped(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.CRITICAL)
        with desk_of(tmp_path) as desk:
            raw = self.honest(desk)
            head = 203 + 32 + 80 + 4  # every bit of every field, wrap and length; then a bit of every byte
            places = [(at, 1 << bit) for at in range(head) for bit in range(8)]
            places += [(at, 1 << at % 8) for at in range(head, len(raw))]
            assert await self.damaged(desk, (flip(raw, *place) for place in places), raw) == len(places)

    async def test_cut_and_extended(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.CRITICAL)
        with desk_of(tmp_path) as desk:
            raw = self.honest(desk)
            longer = (raw + tail for tail in (b"\0", b"\xff", raw, bytes(1_400_000)))
            await self.damaged(desk, (*(raw[:at] for at in range(len(raw))), *longer), raw)


class TestTwoDevices:
    """A sealer who gives two devices of one person two keys, so that they would read two texts, is found out."""

    async def test_the_device_whose_key_is_not_the_committed_one_refuses(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        task = world.task("two faces", head_to_bob("two faces"))
        signed = signed_by(world.ALICE_LAPTOP, task)
        both = list(TO_BOB[:2])
        honest = Envelope.decode(forge("two faces", signed, task, both))
        commit = {"header": lambda header: honest.header}
        other = Envelope.decode(forge("another key", signed, task, both, **commit))
        at = honest.header.devices.index(world.BOB_DESKTOP.device)
        wraps = list(honest.wraps)
        wraps[at] = other.wraps[at]
        split = Envelope(honest.header, tuple(wraps), honest.ciphertext).encode()
        with (
            caplog.at_level(logging.WARNING),
            desk_of(tmp_path) as laptop,
            desk_of(tmp_path, machine=world.BOB_DESKTOP) as desktop,
        ):
            await desktop.incoming.deliver(split)
            assert codes(caplog) == ["commit_mismatch"]
            assert desktop.told() == []
            await laptop.incoming.deliver(split)
            assert codes(caplog) == ["commit_mismatch"]
            assert [each.type for each in receipts(laptop, world.ALICE.genesis)] == [ReceiptType.DELIVERED]
            await desktop.incoming.deliver(honest.encode())
            assert [each.type for each in receipts(desktop, world.ALICE.genesis)] == [ReceiptType.DELIVERED]
