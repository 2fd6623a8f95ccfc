import pytest

from dispatch_broker.core import edges
from dispatch_broker.core.effects import BoundEdge, KeepEdge, MoveEdge, MoveInvitation, Tell, Topic
from dispatch_broker.core.records import Edge, EdgeStatus, InvitationStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import EdgeId
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


BACK = EdgeId(b"\x85" * 16)


def offered(status=EdgeStatus.PENDING, *, caller=ALICE, there=None, connected=False):
    return edges.offer(
        edge(status),
        caller.genesis,
        back=BACK,
        there=there,
        connected=connected,
        max_per_day=7,
        expires_ms=9,
    )


def back(giver=BOB, trustor=ALICE):
    return Edge(
        edge_id=BACK,
        giver=giver,
        trustor=trustor,
        status=EdgeStatus.ACTIVE,
        max_per_day=7,
        expires_ms=9,
    )


@pytest.mark.parametrize("status", [EdgeStatus.PENDING, EdgeStatus.ACTIVE])
def test_the_inviter_makes_a_way_back(status):
    assert offered(status) == (KeepEdge(back()), *BOTH_HEAR_OF_EDGES)


def test_the_same_offer_again_changes_nothing():
    assert offered(EdgeStatus.ACTIVE, there=back()) == ()


def test_an_offer_takes_no_other_edges_place():
    assert code_of(offered(there=back(CAROL, ALICE))) is BrokerCode.ID_COLLISION


def test_nobody_but_the_inviter_offers():
    assert code_of(offered(caller=BOB)) is BrokerCode.WRONG_PARTY
    assert code_of(offered(caller=CAROL)) is BrokerCode.NOT_FOUND
    assert (
        edges.offer(None, ALICE.genesis, back=BACK, there=None, connected=False, max_per_day=1, expires_ms=0)
        is edges.UNKNOWN
    )


def test_on_an_edge_that_is_over_nothing_is_offered():
    assert code_of(offered(EdgeStatus.REVOKED)) is BrokerCode.NOT_PENDING


def test_a_second_edge_the_same_way_is_not_made():
    assert code_of(offered(connected=True)) is BrokerCode.EDGE_EXISTS
