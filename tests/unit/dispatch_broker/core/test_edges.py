import pytest

from dispatch_broker.core import edges
from dispatch_broker.core.effects import BoundEdge, MoveEdge, MoveInvitation, Tell, Topic
from dispatch_broker.core.records import EdgeStatus, InvitationStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from tests.support.broker_facts import ALICE, BOB, CAROL, EDGE_ID, edge

BOTH_HEAR_OF_EDGES = (Tell(ALICE.genesis, Topic.EDGES), Tell(BOB.genesis, Topic.EDGES))
BOTH_HEAR_OF_INVITATIONS = (Tell(ALICE.genesis, Topic.INVITATIONS), Tell(BOB.genesis, Topic.INVITATIONS))


def code_of(decision):
    assert isinstance(decision, Refusal)
    return decision.code


def test_the_inviter_confirms_and_the_edge_becomes_active():
    assert edges.confirm(edge(EdgeStatus.PENDING), ALICE.genesis) == (
        MoveEdge(EDGE_ID, EdgeStatus.ACTIVE),
        MoveInvitation(EDGE_ID, InvitationStatus.CONFIRMED),
        *BOTH_HEAR_OF_INVITATIONS,
        *BOTH_HEAR_OF_EDGES,
    )


def test_confirming_twice_changes_nothing():
    assert edges.confirm(edge(EdgeStatus.ACTIVE), ALICE.genesis) == ()


def test_the_acceptor_cannot_confirm_its_own_acceptance():
    assert code_of(edges.confirm(edge(EdgeStatus.PENDING), BOB.genesis)) is BrokerCode.WRONG_PARTY


def test_a_revoked_edge_cannot_be_confirmed_back_to_life():
    assert code_of(edges.confirm(edge(EdgeStatus.REVOKED), ALICE.genesis)) is BrokerCode.NOT_PENDING


def test_the_trustor_bounds_the_edge():
    decision = edges.bound(edge(max_per_day=50), BOB.genesis, max_per_day=5, expires_ms=9)
    assert decision == (BoundEdge(EDGE_ID, 5, 9), *BOTH_HEAR_OF_EDGES)


def test_the_same_bounds_again_change_nothing():
    assert edges.bound(edge(max_per_day=5), BOB.genesis, max_per_day=5, expires_ms=0) == ()


def test_the_one_who_may_dispatch_cannot_widen_the_edge():
    assert (
        code_of(edges.bound(edge(), ALICE.genesis, max_per_day=999, expires_ms=0)) is BrokerCode.WRONG_PARTY
    )


def test_a_revoked_edge_cannot_be_bounded():
    decision = edges.bound(edge(EdgeStatus.REVOKED), BOB.genesis, max_per_day=5, expires_ms=0)
    assert code_of(decision) is BrokerCode.EDGE_REVOKED


@pytest.mark.parametrize("caller", [ALICE, BOB])
def test_either_side_ends_an_active_edge(caller):
    assert edges.revoke(edge(), caller.genesis) == (
        MoveEdge(EDGE_ID, EdgeStatus.REVOKED),
        *BOTH_HEAR_OF_EDGES,
    )


@pytest.mark.parametrize(
    "caller,ended", [(ALICE, InvitationStatus.REVOKED), (BOB, InvitationStatus.DECLINED)]
)
def test_ending_a_pending_edge_ends_its_invitation_in_the_words_of_who_did_it(caller, ended):
    assert edges.revoke(edge(EdgeStatus.PENDING), caller.genesis) == (
        MoveEdge(EDGE_ID, EdgeStatus.REVOKED),
        MoveInvitation(EDGE_ID, ended),
        *BOTH_HEAR_OF_INVITATIONS,
        *BOTH_HEAR_OF_EDGES,
    )


def test_revoking_twice_changes_nothing():
    assert edges.revoke(edge(EdgeStatus.REVOKED), BOB.genesis) == ()


@pytest.mark.parametrize("known", [None, edge()])
def test_a_stranger_learns_nothing_about_an_edge(known):
    decisions = [
        edges.confirm(known, CAROL.genesis),
        edges.bound(known, CAROL.genesis, max_per_day=1, expires_ms=0),
        edges.revoke(known, CAROL.genesis),
    ]
    assert decisions == [edges.UNKNOWN] * 3
