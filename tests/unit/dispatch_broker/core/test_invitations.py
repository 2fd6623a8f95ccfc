from dataclasses import replace

import pytest

from dispatch_broker.core import invitations
from dispatch_broker.core.effects import (
    BoundEdge,
    KeepEdge,
    KeepInvitation,
    MoveEdge,
    MoveInvitation,
    OweMail,
    Tell,
    Topic,
)
from dispatch_broker.core.invitations import Draft, Surroundings
from dispatch_broker.core.records import EdgeStatus, InvitationStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import EdgeId
from tests.support.broker_facts import ALICE, BOB, CAROL, DAY_MS, EDGE_ID, NOW_MS, edge, invitation

URL = "https://dispatch.example.org"
NOBODY_YET = Surroundings(known=None, invitee=None, connected=False, open_invitations=0)


def leave(around=NOBODY_YET, *, inviter=ALICE, invited=None, mail=False, **changes):
    draft = Draft(
        invitation=invited or invitation(),
        from_address=ALICE.address,
        broker_url=URL,
        secret_required=True,
    )
    return invitations.invite(
        replace(draft, **changes),
        around,
        inviter,
        broker_urls=frozenset({URL}),
        quota=100,
        mail=mail,
        now_ms=NOW_MS,
    )


def answer(known=None, *, caller=BOB, edge_id=EDGE_ID, there=None, connected=False):
    return invitations.accept(
        known,
        caller,
        edge_id=edge_id,
        edge=there,
        connected=connected,
        max_per_day=7,
        expires_ms=9,
        now_ms=NOW_MS,
    )


def code_of(decision):
    assert isinstance(decision, Refusal)
    return decision.code


class TestLeaving:
    def test_an_invitation_for_somebody_new_is_kept_and_the_inviter_told(self):
        assert leave() == (KeepInvitation(invitation()), Tell(ALICE.genesis, Topic.INVITATIONS))

    def test_a_mail_is_owed_when_it_is_asked_for_and_only_once(self):
        left = invitation()
        owed = [effect for effect in leave(mail=True, invited=left) if isinstance(effect, OweMail)]
        assert owed == [OweMail(left.invitation_id, NOW_MS)]
        assert leave(replace(NOBODY_YET, known=left), mail=True, invited=left) == ()

    def test_an_invitee_with_an_account_is_told_too(self):
        assert Tell(BOB.genesis, Topic.INVITATIONS) in leave(replace(NOBODY_YET, invitee=BOB))

    def test_the_very_same_invitation_again_changes_nothing(self):
        assert leave(replace(NOBODY_YET, known=invitation(), open_invitations=100)) == ()

    def test_another_document_under_the_same_id_is_refused(self):
        around = replace(NOBODY_YET, known=invitation(document=b"another"))
        assert code_of(leave(around)) is BrokerCode.ID_COLLISION

    def test_nobody_invites_in_another_name(self):
        assert code_of(leave(inviter=CAROL)) is BrokerCode.WRONG_PARTY
        assert code_of(leave(from_address="boss@example.org")) is BrokerCode.WRONG_PARTY

    def test_an_invitation_names_this_broker(self):
        assert code_of(leave(broker_url="https://elsewhere.example")) is BrokerCode.MALFORMED

    def test_an_invitation_that_was_not_mailed_cannot_waive_its_secret(self):
        assert code_of(leave(secret_required=False)) is BrokerCode.NOT_MAILED
        assert KeepInvitation(invitation()) in leave(secret_required=False, mail=True)

    def test_nobody_invites_oneself(self):
        own = replace(invitation(), to_address=ALICE.address)
        assert code_of(leave(invited=own)) is BrokerCode.MALFORMED

    @pytest.mark.parametrize("expires_ms", [0, NOW_MS, NOW_MS + 8 * DAY_MS])
    def test_an_invitation_ends_in_the_next_seven_days(self, expires_ms):
        assert code_of(leave(invited=invitation(expires_ms=expires_ms))) is BrokerCode.MALFORMED

    def test_an_existing_edge_needs_no_invitation(self):
        assert code_of(leave(replace(NOBODY_YET, connected=True))) is BrokerCode.EDGE_EXISTS

    def test_open_invitations_are_counted(self):
        assert code_of(leave(replace(NOBODY_YET, open_invitations=100))) is BrokerCode.QUOTA


class TestAccepting:
    def test_from_a_yes_a_pending_edge_is_born(self):
        born = edge(EdgeStatus.PENDING, max_per_day=7, expires_ms=9)
        assert answer(invitation()) == (
            KeepEdge(born),
            MoveInvitation(EDGE_ID, InvitationStatus.ACCEPTED),
            Tell(ALICE.genesis, Topic.INVITATIONS),
            Tell(BOB.genesis, Topic.INVITATIONS),
            Tell(ALICE.genesis, Topic.EDGES),
            Tell(BOB.genesis, Topic.EDGES),
        )

    @pytest.mark.parametrize("status", [InvitationStatus.ACCEPTED, InvitationStatus.CONFIRMED])
    def test_the_same_yes_again_changes_nothing(self, status):
        assert answer(invitation(status), there=edge(EdgeStatus.PENDING, max_per_day=7, expires_ms=9)) == ()

    def test_a_second_yes_may_state_other_bounds(self):
        """A device that forgot its first yes asks its human again, who may choose differently."""
        accepted = invitation(InvitationStatus.ACCEPTED)
        decision = answer(accepted, there=edge(EdgeStatus.PENDING, max_per_day=50))
        assert decision[0] == BoundEdge(EDGE_ID, 7, 9)

    def test_an_unknown_invitation_cannot_be_accepted(self):
        assert answer(None) == invitations.UNKNOWN

    def test_only_the_invited_address_accepts(self):
        assert code_of(answer(invitation(), caller=CAROL)) is BrokerCode.WRONG_PARTY

    def test_the_edge_has_the_id_of_the_invitation(self):
        assert code_of(answer(invitation(), edge_id=EdgeId(bytes(16)))) is BrokerCode.MALFORMED

    @pytest.mark.parametrize("status", [InvitationStatus.DECLINED, InvitationStatus.REVOKED])
    def test_an_invitation_that_ended_cannot_be_accepted(self, status):
        decision = answer(invitation(status))
        assert code_of(decision) is BrokerCode.NOT_PENDING
        assert status.value in decision.detail

    def test_an_expired_invitation_cannot_be_accepted(self):
        assert code_of(answer(invitation(expires_ms=NOW_MS))) is BrokerCode.NOT_PENDING

    def test_a_second_edge_for_the_same_trust_is_refused(self):
        assert code_of(answer(invitation(), connected=True)) is BrokerCode.EDGE_EXISTS


class TestDeclining:
    def test_a_no_ends_the_invitation(self):
        assert invitations.decline(invitation(), BOB, now_ms=NOW_MS) == (
            MoveInvitation(EDGE_ID, InvitationStatus.DECLINED),
            Tell(ALICE.genesis, Topic.INVITATIONS),
            Tell(BOB.genesis, Topic.INVITATIONS),
        )

    def test_a_second_no_changes_nothing(self):
        assert invitations.decline(invitation(InvitationStatus.DECLINED), BOB, now_ms=NOW_MS) == ()

    def test_after_a_yes_it_is_too_late_for_a_no(self):
        decision = invitations.decline(invitation(InvitationStatus.ACCEPTED), BOB, now_ms=NOW_MS)
        assert code_of(decision) is BrokerCode.NOT_PENDING

    def test_only_the_invited_address_declines(self):
        assert code_of(invitations.decline(invitation(), ALICE, now_ms=NOW_MS)) is BrokerCode.WRONG_PARTY

    def test_an_unknown_invitation_cannot_be_declined(self):
        assert invitations.decline(None, BOB, now_ms=NOW_MS) == invitations.UNKNOWN


def withdraw(known, *, caller=ALICE, there=None, invitee=BOB):
    return invitations.withdraw(known, caller, edge=there, invitee=invitee, now_ms=NOW_MS)


class TestWithdrawing:
    def test_the_inviter_takes_an_open_invitation_back(self):
        assert withdraw(invitation(), invitee=None) == (
            MoveInvitation(EDGE_ID, InvitationStatus.REVOKED),
            Tell(ALICE.genesis, Topic.INVITATIONS),
        )

    def test_an_accepted_one_goes_with_its_pending_edge(self):
        decision = withdraw(invitation(InvitationStatus.ACCEPTED), there=edge(EdgeStatus.PENDING))
        assert decision[:2] == (
            MoveEdge(EDGE_ID, EdgeStatus.REVOKED),
            MoveInvitation(EDGE_ID, InvitationStatus.REVOKED),
        )
        assert Tell(BOB.genesis, Topic.EDGES) in decision

    def test_a_second_time_changes_nothing(self):
        assert withdraw(invitation(InvitationStatus.REVOKED)) == ()

    def test_a_confirmed_one_cannot_be_taken_back(self):
        assert code_of(withdraw(invitation(InvitationStatus.CONFIRMED))) is BrokerCode.NOT_PENDING

    def test_only_the_inviter_takes_it_back(self):
        assert code_of(withdraw(invitation(), caller=BOB)) is BrokerCode.WRONG_PARTY

    def test_an_unknown_one_cannot_be_taken_back(self):
        assert withdraw(None) == invitations.UNKNOWN
