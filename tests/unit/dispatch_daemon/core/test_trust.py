"""Trust begins with a human's choice, is pinned to a chain, and is never known worse or widened afterwards."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import pins, trust
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Effect, Plan, Put, Send, Settle, TaskKind
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_protocol.chain import Chain
from dispatch_protocol.first_contact import verify_acceptance, verify_confirmation, with_mac
from dispatch_protocol.grant import GrantStatus, Version
from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.limits import INVITATION_S
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import PROFILES, Scopes
from dispatch_protocol.signing import Document, sign_document
from dispatch_protocol.standing import EdgeStatus
from tests.support.desk import (
    ALICE_OWN,
    ALICE_PEER,
    BOB_OWN,
    BOB_PEER,
    MOMENT,
    SCOPES,
    digest_of,
    edge,
    puts,
    signed,
)
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, rotated
from tests.support.invited import DOCUMENT, INVITATION, INVITED, SECRET, record


def granted() -> Document:
    document = trust.grant(BOB_OWN, ALICE_PEER, INVITED.hex, SCOPES, MOMENT, status=GrantStatus.ACTIVE)
    return sign_document([BOB.sign], payload_type(Kind.GRANT), document.encode())


def contact(chain: Chain, known_as: Trust = Trust.UNVERIFIED) -> ContactRecord:
    return pins.pinned(chain, "old@example.org", known_as, None, NOW_MS)


# -- inviting ------------------------------------------------------------------------------------------


def test_invitation_names_both_addresses_requires_the_token_and_lives_a_week() -> None:
    assert InvitationDocument.decode(INVITATION.encode()) == INVITATION
    assert (INVITATION.from_email, INVITATION.to_email, INVITATION.mac) == (
        ALICE.email,
        BOB.email,
        MacRule.REQUIRED,
    )
    assert INVITATION.expires_ms - INVITATION.created_ms == INVITATION_S * 1000


def test_addresses_have_one_spelling() -> None:
    shouting = Own(ALICE.chain, ALICE.device, "ALICE@Example.org")
    document = trust.invitation(shouting, MOMENT, to_email="BOB@example.ORG", broker="https://c.example")
    assert (document.from_email, document.to_email) == (ALICE.email, BOB.email)


# -- granting ------------------------------------------------------------------------------------------


def test_version_of_a_grant_names_the_one_it_replaces() -> None:
    first = trust.grant(BOB_OWN, ALICE_PEER, EDGE.hex, SCOPES, MOMENT, status=GrantStatus.ACTIVE)
    assert (first.version, first.parents) == (Version(1, BOB.device), ())
    second = trust.grant(
        BOB_OWN, ALICE_PEER, EDGE.hex, SCOPES, MOMENT, status=GrantStatus.REVOKED, after=(first.version,)
    )
    assert (second.version, second.parents, second.status) == (
        Version(2, BOB.device),
        (first.version,),
        GrantStatus.REVOKED,
    )


# -- accepting an invitation ---------------------------------------------------------------------------


def accept(known: ContactRecord | None = None) -> list[Effect]:
    message = with_mac(
        SECRET, trust.acceptance(BOB_OWN, ALICE.chain, INVITATION, DOCUMENT.digest, granted(), MOMENT)
    )
    return trust.accepted(
        message,
        ALICE.chain,
        DOCUMENT,
        record(Direction.INCOMING),
        SCOPES,
        trust=Trust.TOKEN,
        known=known,
        path_identities=[("/src", 1, 2)],
        now_ms=NOW_MS,
    )


def test_acceptance_is_what_the_inviter_can_check() -> None:
    message = trust.acceptance(BOB_OWN, ALICE.chain, INVITATION, DOCUMENT.digest, granted(), MOMENT)
    found = verify_acceptance(
        signed(with_mac(SECRET, message), BOB), invitation=DOCUMENT, secret=SECRET, now_ms=NOW_MS
    )
    assert (found.chain, found.grant.scopes, found.proven) == (BOB.chain, SCOPES, True)


def test_yes_pins_the_inviter_at_once_and_its_edge_waits() -> None:
    effects = accept()
    (pinned,) = puts(effects, ContactRecord)
    assert (pinned.genesis, pinned.address, pinned.trust) == (
        ALICE.chain.genesis.hex,
        ALICE.email,
        Trust.TOKEN,
    )
    (kept,) = puts(effects, EdgeRecord)
    assert (kept.edge, kept.direction, kept.status) == (
        INVITED.hex,
        Direction.INCOMING,
        EdgeStatus.PENDING,
    )
    assert (kept.peer, kept.path_identities) == (ALICE.chain.genesis.hex, (("/src", 1, 2),))


def test_yes_is_owed_and_remembered_by_its_digest() -> None:
    effects = accept()
    (send,) = [effect for effect in effects if isinstance(effect, Send)]
    (invited,) = puts(effects, InvitationRecord)
    assert (invited.status, invited.acceptance) == (InvitationStatus.ACCEPTED, send.digest)
    assert (send.to, send.deliver) == (ALICE.chain.genesis.hex, True)


# -- taking in a yes -----------------------------------------------------------------------------------


def welcome(
    known: ContactRecord | None = None, offered: trust.Offered | None = None
) -> tuple[Any, list[Effect]]:
    message = trust.acceptance(BOB_OWN, ALICE.chain, INVITATION, DOCUMENT.digest, granted(), MOMENT)
    return trust.welcomed(
        record(Direction.OUTGOING),
        BOB.chain,
        message,
        Digest.from_hex(digest_of(message)),
        ALICE_OWN,
        MOMENT,
        scopes=SCOPES,
        trust=Trust.TOKEN,
        known=known,
        offered=offered,
    )


def test_checked_yes_opens_the_edge_and_tells_the_relay() -> None:
    _, effects = welcome()
    (opened,) = puts(effects, EdgeRecord)
    assert (opened.direction, opened.status, opened.address) == (
        Direction.OUTGOING,
        EdgeStatus.ACTIVE,
        BOB.email,
    )
    (invited,) = puts(effects, InvitationRecord)
    assert (invited.status, invited.accepted_by) == (
        InvitationStatus.CONFIRMED,
        BOB.chain.genesis.hex,
    )
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.key) == (TaskKind.RELAY_CALL, f"confirm_edge/{INVITED.hex}")
    assert plan.payload == {"op": "confirm_edge", "args": {"edge_id": INVITED.uuid}}


def test_confirmation_is_what_the_invitee_can_check() -> None:
    said, effects = welcome()
    (invited,) = puts(effects, InvitationRecord)
    found = verify_confirmation(
        signed(with_mac(SECRET, said), ALICE),
        invitation=DOCUMENT,
        acceptance=Digest.from_hex(invited.acceptance or ""),
        inviter=ALICE.chain,
        secret=SECRET,
    )
    assert found.head.edge == INVITED


def test_confirmed_edge_is_in_force_and_the_yes_owed_no_longer() -> None:
    pending = edge(status=EdgeStatus.PENDING)
    effects = trust.confirmed(pending, record(Direction.INCOMING, acceptance="ab"))
    assert [kept.status for kept in puts(effects, EdgeRecord)] == [EdgeStatus.ACTIVE]
    assert [kept.status for kept in puts(effects, InvitationRecord)] == [InvitationStatus.CONFIRMED]
    assert Settle("ab") in effects


def asked(direction: Direction, number: int, **changes: Any) -> InvitationRecord:
    """Another invitation between the same two, as whoever sent or received it holds it."""
    return replace(record(direction), invitation_id=f"{number:032x}", **changes)


def test_other_invitations_for_the_same_trust_end_with_the_edge_that_gives_it() -> None:
    others = [
        asked(Direction.OUTGOING, 1),
        asked(Direction.OUTGOING, 2, address="else@example.org"),
        asked(Direction.OUTGOING, 3, status=InvitationStatus.DECLINED),
        asked(Direction.INCOMING, 4),
    ]
    _, effects = welcome()
    ended = trust.superseded(effects, [*others, record(Direction.OUTGOING)], NOW_MS)
    assert puts(ended, InvitationRecord) == [replace(others[0], status=InvitationStatus.REVOKED, secret=None)]
    (plan,) = [effect for effect in ended if isinstance(effect, Plan)]
    uuid = EdgeId.from_hex(others[0].invitation_id).uuid
    assert plan.payload == {"op": "revoke_invitation", "args": {"invitation_id": uuid}}


def test_one_that_was_received_ends_by_itself_where_it_is_of_the_same_identity() -> None:
    born = edge(direction=Direction.INCOMING, edge=INVITED.hex, peer=ALICE.chain.genesis.hex)
    same, own = asked(Direction.INCOMING, 1), asked(Direction.OUTGOING, 2)
    ended = trust.superseded([Put(born)], [same, own], NOW_MS)
    assert ended == [Put(replace(same, status=InvitationStatus.REVOKED))]
    assert trust.superseded([Put(replace(born, peer="00" * 32))], [same, own], NOW_MS) == []
    assert trust.superseded([Put(replace(born, status=EdgeStatus.PENDING)), Put(same)], [same], NOW_MS) == []


def test_revoked_edge_ends_here_and_at_the_relay() -> None:
    effects = trust.revoked(edge(), NOW_MS)
    assert [kept.status for kept in puts(effects, EdgeRecord)] == [EdgeStatus.REVOKED]
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert plan.payload == {"op": "revoke_edge", "args": {"edge_id": EdgeId.from_hex(EDGE.hex).uuid}}


def test_invitation_that_is_taken_back_forgets_its_secret_and_tells_the_relay() -> None:
    put, plan = trust.taken_back(record(Direction.OUTGOING), NOW_MS)
    assert put == Put(replace(record(Direction.OUTGOING), status=InvitationStatus.REVOKED, secret=None))
    assert isinstance(plan, Plan)
    assert plan.payload == {"op": "revoke_invitation", "args": {"invitation_id": INVITED.uuid}}


@pytest.mark.parametrize("expires_at_ms", [None, NOW_MS + 1])
def test_edge_ends_with_its_grant_on_both_sides(expires_at_ms: int | None) -> None:
    scopes = Scopes(tools=("Read",), expires_at_ms=expires_at_ms)
    message = trust.acceptance(BOB_OWN, ALICE.chain, INVITATION, DOCUMENT.digest, granted(), MOMENT)
    incoming = trust.accepted(
        message,
        ALICE.chain,
        DOCUMENT,
        record(Direction.INCOMING),
        scopes,
        trust=Trust.TOKEN,
        known=None,
        path_identities=(),
        now_ms=NOW_MS,
    )
    _, outgoing = trust.welcomed(
        record(Direction.OUTGOING),
        BOB.chain,
        message,
        DOCUMENT.digest,
        ALICE_OWN,
        MOMENT,
        scopes=scopes,
        trust=Trust.TOKEN,
        known=None,
    )
    ends = {kept.expires_ms for kept in (*puts(incoming, EdgeRecord), *puts(outgoing, EdgeRecord))}
    assert ends == {expires_at_ms or 0}


# -- whoever is known already --------------------------------------------------------------------------


def test_yes_of_somebody_known_keeps_what_is_known() -> None:
    (pinned,) = puts(accept(contact(rotated(ALICE.chain, "another key"), Trust.COMPARED)), ContactRecord)
    assert (pinned.trust, len(pinned.chain)) == (Trust.COMPARED, 2)
    known = contact(BOB.chain, Trust.COMPARED)
    (welcomed,) = puts(welcome(known)[1], ContactRecord)
    assert welcomed.trust is Trust.COMPARED


def test_second_identity_that_proves_a_token_is_kept_once() -> None:
    used = record(Direction.OUTGOING, accepted_by=BOB.chain.genesis.hex, status=InvitationStatus.CONFIRMED)
    (effect,) = trust.proved_again(used, ALICE.chain.genesis, NOW_MS)
    assert effect == Put(replace(used, also_proved_by=ALICE.chain.genesis.hex, also_proved_ms=NOW_MS))
    assert trust.proved_again(effect.record, BOB.chain.genesis, NOW_MS) == []


@pytest.mark.parametrize("first", [None, BOB.chain.genesis.hex])
def test_the_same_identity_again_or_an_unused_invitation_is_no_leak(first: str | None) -> None:
    unused = record(Direction.OUTGOING, accepted_by=first)
    assert trust.proved_again(unused, BOB.chain.genesis, NOW_MS) == []


def test_offer_is_bounded_by_how_the_other_side_is_known() -> None:
    wide = PROFILES["full"].write()
    assert trust.way_back(record(Direction.OUTGOING), Trust.TOKEN, NOW_MS) is None
    offering = record(Direction.OUTGOING, offer=wide)
    assert trust.way_back(offering, Trust.TOKEN, NOW_MS) == PROFILES["full"]
    held = trust.way_back(offering, Trust.UNVERIFIED, NOW_MS)
    assert held is not None
    assert "Bash" not in held.tools
    ending = record(Direction.OUTGOING, offer=replace(PROFILES["edit"], expires_at_ms=NOW_MS + 1).write())
    assert trust.way_back(ending, Trust.TOKEN, NOW_MS) is not None
    assert trust.way_back(ending, Trust.TOKEN, NOW_MS + 1) is None


@pytest.mark.parametrize("expires_at_ms", [None, NOW_MS + 9])
def test_offer_is_in_force_on_both_sides_once_each_has_checked_the_other(expires_at_ms: int | None) -> None:
    scopes = replace(PROFILES["edit"], expires_at_ms=expires_at_ms)
    back = EdgeId(b"\x85" * 16)
    given = trust.grant(ALICE_OWN, BOB_PEER, back.hex, scopes, MOMENT, status=GrantStatus.ACTIVE)
    document = sign_document([ALICE.sign], payload_type(Kind.GRANT), given.encode())
    said, effects = welcome(offered=trust.Offered(back, document, scopes, (("/src", 1, 2),)))
    assert said.offer == document
    kept = {each.edge: each for each in puts(effects, EdgeRecord)}[back.hex]
    assert (kept.direction, kept.status, kept.expires_ms) == (
        Direction.INCOMING,
        EdgeStatus.ACTIVE,
        expires_at_ms or 0,
    )
    assert (kept.peer, kept.path_identities) == (BOB.chain.genesis.hex, (("/src", 1, 2),))
    (plan,) = [each for each in effects if isinstance(each, Plan) and each.key.startswith("offer_edge")]
    assert plan.payload["args"] == {
        "edge_id": INVITED.uuid,
        "back_id": back.uuid,
        "max_per_day": scopes.max_per_day,
        "expires_ms": expires_at_ms or 0,
    }
    (taken,) = puts(trust.taken_up(edge(), document, NOW_MS), EdgeRecord)
    assert (taken.edge, taken.direction) == (back.hex, Direction.OUTGOING)
    assert (taken.status, taken.expires_ms) == (EdgeStatus.ACTIVE, expires_at_ms or 0)
