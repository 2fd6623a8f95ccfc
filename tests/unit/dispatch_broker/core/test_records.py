import pytest

from dispatch_broker.core.records import EDGE_MOVES, INVITATION_MOVES, EdgeStatus, InvitationStatus
from dispatch_protocol.head import Party
from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.keys import Digest, SigningKey
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import sign_document
from tests.support.broker_facts import ALICE, ALICE_DEVICE, BOB, CAROL, NOW_MS, edge, invitation


def test_every_status_has_its_row_in_the_table():
    assert set(EDGE_MOVES) == set(EdgeStatus)
    assert set(INVITATION_MOVES) == set(InvitationStatus)


def test_what_has_ended_stays_ended():
    assert not EDGE_MOVES[EdgeStatus.REVOKED]
    for status in (InvitationStatus.DECLINED, InvitationStatus.REVOKED, InvitationStatus.EXPIRED):
        assert not INVITATION_MOVES[status]


def test_an_active_edge_expires_by_the_clock_at_its_very_millisecond():
    assert edge(expires_ms=NOW_MS + 1).at(NOW_MS) is EdgeStatus.ACTIVE
    assert edge(expires_ms=NOW_MS).at(NOW_MS) is EdgeStatus.EXPIRED


def test_an_edge_without_end_never_expires():
    assert edge(expires_ms=0).at(NOW_MS * 2) is EdgeStatus.ACTIVE


def test_a_revoked_edge_is_revoked_before_it_is_expired():
    assert edge(EdgeStatus.REVOKED, expires_ms=1).at(NOW_MS) is EdgeStatus.REVOKED


def test_an_edge_joins_its_pair_in_either_direction_and_nobody_else():
    assert edge().joins(ALICE.genesis, BOB.genesis)
    assert edge().joins(BOB.genesis, ALICE.genesis)
    assert not edge().joins(ALICE.genesis, CAROL.genesis)
    assert not edge().joins(ALICE.genesis, ALICE.genesis)


def test_only_an_unanswered_invitation_expires():
    assert invitation(expires_ms=NOW_MS).at(NOW_MS) is InvitationStatus.EXPIRED
    assert invitation(expires_ms=NOW_MS + 1).at(NOW_MS) is InvitationStatus.PENDING
    assert invitation(InvitationStatus.ACCEPTED, expires_ms=NOW_MS).at(NOW_MS) is InvitationStatus.ACCEPTED


@pytest.mark.parametrize("rule", MacRule)
def test_an_invitation_says_itself_whether_it_is_accepted_with_its_token_only(rule):
    signed = a_document(rule)
    assert invitation(document=signed.encode()).needs_token is (rule is MacRule.REQUIRED)


def a_document(rule):
    stated = InvitationDocument(
        nonce=bytes(16),
        sender=Party(ALICE.genesis, ALICE_DEVICE, Digest(bytes(32))),
        from_email=ALICE.address,
        to_email=BOB.address,
        broker="https://relay.example",
        mac=rule,
        created_ms=NOW_MS,
        expires_ms=NOW_MS + 1,
    )
    return sign_document([SigningKey(bytes(32))], payload_type(Kind.INVITATION), stated.encode())
