"""Every first contact that must not be believed arrives at a daemon: it is refused, and nobody is told or trusted.

An acceptance and a confirmation are the only documents whose signer nobody has pinned, so what is forged, replayed, from
somebody else, too late or not asked for at all must leave the door as it was, and the true one must come in after it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dispatch_daemon.core.trust_records import Direction, InvitationStatus, Trust
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.invitation import Confirmation
from dispatch_protocol.standing import AcceptanceExpected, EdgeStatus
from tests.support.besieged_desk import Desk, codes
from tests.support.vectors import world
from tests.support.vectors.cases import Case, alice_knows, bob_knows
from tests.support.vectors.forge import forge, signed_by
from tests.support.vectors.introductions import (
    ACCEPTED,
    NOBODY,
    acceptance,
    confirmation,
    introduced,
    not_introduced,
)

ACCEPTANCE, CONFIRMATION, OFFERING, UNPROVEN = introduced()
REFUSED = {case.name: case for case in not_introduced() if case.expected is not None and case.step == 7}
FOR_ALICE = {name: case for name, case in REFUSED.items() if isinstance(case.expected, AcceptanceExpected)}
FOR_BOB = {name: case for name, case in REFUSED.items() if name not in FOR_ALICE}


@contextmanager
def alice(home: Path) -> Iterator[Desk]:
    """Alice's device, which has invited Bob."""
    desk = Desk(home, alice_knows(**NOBODY), world.ALICE_LAPTOP)
    desk.invited_bob()
    try:
        yield desk
    finally:
        desk.close()


@contextmanager
def bob(home: Path, *, with_token: bool = True) -> Iterator[Desk]:
    """Bob's device, which has accepted Alice's invitation."""
    desk = Desk(home, bob_knows(**NOBODY))
    desk.accepted_alice(ACCEPTED.digest, with_token=with_token)
    try:
        yield desk
    finally:
        desk.close()


def status(desk: Desk) -> EdgeStatus | None:
    """Return where the edge of the invitation stands at a desk."""
    edge = desk.journal.edge(world.EDGE.hex)
    return None if edge is None else edge.status


async def late(desk: Desk, case: Case) -> None:
    """Deliver a case at the time that it belongs to."""
    now_ms = desk.clock.stands_ms
    desk.clock.stands_ms = case.standing.now_ms
    await desk.incoming.deliver(case.envelope)
    desk.clock.stands_ms = now_ms


def test_every_code_of_the_two_lists_arrives() -> None:
    assert {case.outcome for case in FOR_ALICE.values()} >= {
        "mac_bad", "token_needed", "invitation_mismatch", "genesis_mismatch", "signature_bad", "signer_unknown",
        "invitation_expired",
    }  # fmt: skip
    assert {case.outcome for case in FOR_BOB.values()} >= {
        "mac_bad", "token_needed", "invitation_mismatch", "genesis_mismatch",
    }  # fmt: skip


@pytest.mark.parametrize("name", FOR_ALICE)
async def test_no_other_acceptance_makes_a_contact(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = FOR_ALICE[name]
    # What is no acceptance at all is opened as anything else of a stranger's.
    code = "signer_unknown" if case.outcome == "unsupported" else case.outcome
    with caplog.at_level(logging.WARNING), alice(tmp_path) as desk:
        await late(desk, case)
        await late(desk, case)
        assert codes(caplog) == [code] * 2
        assert (desk.told(), desk.journal.contacts(), status(desk)) == ([], [], None)

        await desk.incoming.deliver(ACCEPTANCE.envelope)
        assert len(codes(caplog)) == 2
        assert status(desk) is EdgeStatus.ACTIVE
        ((to, told),) = desk.told()
        assert (to, type(told)) == (world.BOB.genesis.hex, Confirmation)
        (contact,) = desk.journal.contacts()
        assert (contact.genesis, contact.trust) == (world.BOB.genesis.hex, Trust.TOKEN)


@pytest.mark.parametrize("name", FOR_BOB)
async def test_no_other_confirmation_puts_an_edge_in_force(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = FOR_BOB[name]
    with caplog.at_level(logging.WARNING), bob(tmp_path) as desk:
        await late(desk, case)
        assert codes(caplog) == [case.outcome]
        assert (desk.told(), status(desk)) == ([], EdgeStatus.PENDING)
        await desk.incoming.deliver(CONFIRMATION.envelope)
        assert status(desk) is EdgeStatus.ACTIVE
        assert desk.told() == []


async def test_a_confirmation_without_a_code_serves_where_no_token_was_used_and_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), bob(tmp_path, with_token=False) as desk:
        await desk.incoming.deliver(UNPROVEN.envelope)
        assert (codes(caplog), status(desk)) == ([], EdgeStatus.ACTIVE)


async def test_an_offer_on_the_confirmation_puts_the_way_back_in_force_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), bob(tmp_path) as desk:
        await desk.incoming.deliver(OFFERING.envelope)
        assert (codes(caplog), status(desk)) == ([], EdgeStatus.ACTIVE)
        (back,) = desk.journal.edges(Direction.OUTGOING)
        assert (back.peer, back.status) == (world.ALICE.genesis.hex, EdgeStatus.ACTIVE)


class TestReplayed:
    """A relay repeats the first contact as often as it likes."""

    async def test_an_acceptance_owes_one_confirmation(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING), alice(tmp_path) as desk:
            for _ in range(5):
                await desk.incoming.deliver(ACCEPTANCE.envelope)
            assert [type(told) for _, told in desk.told()] == [Confirmation]
            assert codes(caplog) == []

    async def test_a_second_acceptance_is_refused_and_its_proof_is_an_alarm(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        message = acceptance("another acceptance", secret=Secret(world.SECRET))
        second = forge(
            "second", signed_by(world.BOB_LAPTOP, message), message, [world.ALICE_LAPTOP.recipient]
        )
        with caplog.at_level(logging.WARNING), alice(tmp_path) as desk:
            await desk.incoming.deliver(ACCEPTANCE.envelope)
            owed = desk.told()
            await desk.incoming.deliver(second)
            assert codes(caplog) == ["invitation_used"]
            assert desk.told() == owed

    async def test_a_confirmation_changes_nothing_twice(self, tmp_path: Path) -> None:
        with bob(tmp_path) as desk:
            await desk.incoming.deliver(CONFIRMATION.envelope)
            edge = desk.journal.edge(world.EDGE.hex)
            assert edge is not None
            desk._put(replace(edge, status=EdgeStatus.REVOKED))
            await desk.incoming.deliver(CONFIRMATION.envelope)
            assert status(desk) is EdgeStatus.REVOKED
            assert desk.told() == []


class TestTheWrongSide:
    """Each document is for one side only, and for an invitation that is open."""

    async def test_a_confirmation_of_ones_own_invitation(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        head = world.head("turned", world.BOB, world.BOB_LAPTOP, world.ALICE)
        message = confirmation("turned", head=head)
        turned = forge(
            "turned", signed_by(world.BOB_LAPTOP, message), message, [world.ALICE_LAPTOP.recipient]
        )
        with caplog.at_level(logging.WARNING), alice(tmp_path) as desk:
            await desk.incoming.deliver(turned)
            assert codes(caplog) == ["unsupported"]
            assert (desk.told(), status(desk)) == ([], None)

    async def test_an_acceptance_of_an_invitation_that_one_accepted(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        head = world.head("back", world.ALICE, world.ALICE_LAPTOP, world.BOB)
        message = acceptance("back", head=head, links=world.ALICE.chain.links)
        back = forge("back", signed_by(world.ALICE_LAPTOP, message), message, [world.BOB_LAPTOP.recipient])
        with caplog.at_level(logging.WARNING), bob(tmp_path) as desk:
            await desk.incoming.deliver(back)
            assert codes(caplog) == ["unsupported"]
            assert (desk.told(), status(desk)) == ([], EdgeStatus.PENDING)

    async def test_nothing_is_expected(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """No invitation, one that was taken back, and a confirmation of what was only listed."""
        with caplog.at_level(logging.WARNING):
            desk = Desk(tmp_path, alice_knows(**NOBODY), world.ALICE_LAPTOP)
            await desk.incoming.deliver(ACCEPTANCE.envelope)
            desk.invited_bob()
            (record,) = desk.journal.invitations()
            assert record.direction is Direction.OUTGOING
            desk._put(replace(record, status=InvitationStatus.REVOKED))
            await desk.incoming.deliver(ACCEPTANCE.envelope)
            desk.close()
            with bob(tmp_path) as waiting:
                (record,) = waiting.journal.invitations()
                waiting._put(replace(record, acceptance=None, status=InvitationStatus.PENDING))
                await waiting.incoming.deliver(CONFIRMATION.envelope)
                assert status(waiting) is EdgeStatus.PENDING
        assert codes(caplog) == ["invitation_used"] * 3
