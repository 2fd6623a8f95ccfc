"""What one's devices tell each other comes out at the other end, twice and in any order, as the same."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import grants, household, pins
from dispatch_daemon.core.effects import Effect, Forget, Put, TaskKind, Unplan
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    RuleRecord,
    Trust,
)
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.grant import Version
from dispatch_protocol.head import Party
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.links import RecoverLink, sign_link
from dispatch_protocol.messages.shared_trust import EdgeEntry
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import sign_document
from dispatch_protocol.standing import EdgeStatus
from tests.support.desk import received
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, digest, fixed, grant, head, rotated, with_device
from tests.support.household import ENTRIES, GRANT

PIN, EDGE_ENTRY, INVITATION, *_ = ENTRIES
PHONE = with_device(BOB, "phone")
CONTACT = ContactRecord(
    genesis=BOB.chain.genesis.hex,
    address=BOB.email,
    trust=Trust.TOKEN,
    chain=tuple(link.to_json() for link in BOB.chain.links),
    pinned_ms=NOW_MS,
)
HELD = EdgeRecord(
    edge=EDGE.hex,
    direction=Direction.OUTGOING,
    peer=BOB.chain.genesis.hex,
    address=BOB.email,
    status=EdgeStatus.ACTIVE,
    grant=GRANT.to_json(),
    created_ms=NOW_MS,
    expires_ms=0,
)
INVITED = InvitationRecord(
    invitation_id=EDGE.hex,
    direction=Direction.OUTGOING,
    address=BOB.email,
    document=BOB.chain.links[0].to_json(),
    status=InvitationStatus.PENDING,
    created_ms=NOW_MS,
    expires_ms=NOW_MS + 1,
    link="https://courier.example/i/1",
    mac_required=True,
    secret=fixed("secret", 16),
)
ALLOWED = RuleRecord(
    rule_id="rule1",
    edge=EDGE.hex,
    tool="Bash",
    command=None,
    created_ms=NOW_MS,
    path="/src",
    subject=digest("call").hex,
)
PINNED_TWICE = replace(CONTACT, conflict=tuple(link.to_json() for link in rotated(BOB.chain, "x", BOB).links))
ACCEPTED = replace(INVITED, accepted_by=BOB.chain.genesis.hex, acceptance=digest("yes").hex)


def taken(record: Any, known: Any = None, *, decides: bool = True) -> list[Effect]:
    """Take in what is told of a record."""
    entry: Any = household.entry_of(record)
    match record:
        case ContactRecord():
            return household.pin(entry, known, decides=decides)
        case EdgeRecord():
            return household.edge(entry, known, ALICE.chain, PHONE.chain, decides=decides)
        case InvitationRecord():
            return household.invitation(entry, known, NOW_MS, decides=decides)
        case _:
            return household.rule(entry, known, was_removed=False, decides=decides)


@pytest.mark.parametrize(
    "record",
    [
        CONTACT,
        PINNED_TWICE,
        replace(CONTACT, alias="bobby"),
        HELD,
        INVITED,
        ACCEPTED,
        ALLOWED,
        replace(ALLOWED, command="true", path=None, subject=None),
    ],
)
def test_what_is_told_comes_out_as_it_was_and_told_again_changes_nothing(record: Any) -> None:
    assert taken(record) == [Put(record)]
    assert taken(record, record) == []


def test_only_what_all_devices_have_to_know_is_told() -> None:
    given = HandoverRecord(
        digest=received().digest, turn=1, giver=ALICE.device.hex, taker=BOB.device.hex, handed_ms=NOW_MS
    )
    effects = [Put(CONTACT), Put(received()), Forget(ALLOWED), Unplan(TaskKind.RUN, "x"), Put(given)]
    pin, rule, handed = household.told_by(effects)
    assert (pin, rule.removed, handed.to) == (household.entry_of(CONTACT), True, BOB.device)


# -- taking in -------------------------------------------------------------------------------------------


def test_a_contact_is_never_known_worse_and_its_chain_only_grows() -> None:
    grown = replace(CONTACT, trust=Trust.COMPARED, alias="b")
    grown = replace(grown, chain=tuple(link.to_json() for link in rotated(BOB.chain, "new", BOB).links))
    assert taken(CONTACT, grown) == []
    assert taken(grown, CONTACT) == [Put(grown)]


COMPARED = pins.compared(CONTACT, NOW_MS)


def recovered(known: ContactRecord) -> ContactRecord:
    """Return a contact as a device has it that has learnt of a recovery."""
    link = RecoverLink(
        prev=BOB.chain.head,
        epoch=1,
        survivors=frozenset(BOB.chain.devices),
        device=None,
        created_ms=NOW_MS,
        nonce=bytes(16),
    )
    return pins.retold(known, BOB.chain.extend([sign_link(link, [BOB.recovery])]).links)


def test_when_and_over_what_words_were_compared_is_known_on_every_device() -> None:
    assert taken(COMPARED) == [Put(COMPARED)]
    assert taken(COMPARED, CONTACT) == [Put(COMPARED)]
    assert taken(CONTACT, COMPARED) == []
    later = pins.compared(COMPARED, NOW_MS + 7)
    assert taken(later, COMPARED) == [Put(later)]
    assert taken(COMPARED, later) == []


def test_recovery_takes_a_comparison_back_on_every_device_in_whatever_order_it_is_told() -> None:
    again = recovered(COMPARED)
    assert (again.trust, again.compared_ms) == (CONTACT.trust, NOW_MS)
    assert taken(again, COMPARED) == [Put(again)]
    assert taken(COMPARED, again) == []  # somebody who has not heard of it yet
    assert taken(COMPARED, recovered(CONTACT)) == [Put(again)]
    anew = pins.compared(again, NOW_MS + 9)
    assert taken(anew, again) == [Put(anew)]
    assert taken(anew, COMPARED) == [Put(anew)]


def test_of_two_names_for_a_contact_the_one_chosen_later_holds_and_so_does_none() -> None:
    named = replace(CONTACT, alias="boss", named_ms=5)
    bare = replace(named, alias=None, named_ms=6, address="new@example.org")
    assert taken(named, CONTACT) == [Put(named)]
    assert taken(bare, named) == [Put(bare)], "it was taken off"
    assert taken(named, bare) == [], "a word from before"
    assert taken(replace(CONTACT, alias="b"), replace(CONTACT, alias="a")) == [
        Put(replace(CONTACT, alias="b"))
    ]


def test_two_histories_stop_the_contact_whichever_device_heard_of_them() -> None:
    one = replace(CONTACT, chain=tuple(link.to_json() for link in rotated(BOB.chain, "one", BOB).links))
    two = replace(CONTACT, chain=tuple(link.to_json() for link in rotated(BOB.chain, "two", BOB).links))
    (put,) = taken(two, one)
    assert isinstance(put, Put)
    assert put.record == replace(one, conflict=two.chain)
    assert taken(two, replace(one, conflict=two.chain)) == []
    assert taken(PINNED_TWICE, CONTACT) == [Put(PINNED_TWICE)]


def test_what_was_revoked_stays_so_and_a_grant_that_goes_on_counts() -> None:
    newer = grant(version=Version(2, BOB.device), parents=(Version(1, BOB.device),))
    document = sign_document([BOB.sign], payload_type(Kind.GRANT), newer.encode())
    edited = replace(HELD, grant=document.to_json())
    revoked = replace(HELD, status=EdgeStatus.REVOKED)
    assert taken(edited, HELD) == [Put(edited)]
    assert taken(HELD, edited) == []
    assert taken(revoked, HELD) == [Put(revoked)]
    assert taken(HELD, revoked) == []
    assert taken(edited, revoked) == [Put(replace(edited, status=EdgeStatus.REVOKED))]


def test_an_edge_that_two_devices_have_edited_is_told_once_for_each_version() -> None:
    sender = Party(BOB.chain.genesis, PHONE.device, PHONE.chain.head)
    other = grant(
        version=Version(1, PHONE.device),
        head=replace(head(BOB, ALICE), sender=sender),
        scopes=Scopes(tools=("Glob", "Read")),
    )
    document = sign_document([PHONE.sign], payload_type(Kind.GRANT), other.encode())
    both = grants.joined(HELD, document)
    first, second = household.told_by([Put(both)])
    assert isinstance(first, EdgeEntry)
    assert isinstance(second, EdgeEntry)
    (begun,) = household.edge(first, None, ALICE.chain, PHONE.chain, decides=True)
    assert isinstance(begun, Put)
    assert isinstance(begun.record, EdgeRecord)
    again = household.edge(second, begun.record, ALICE.chain, PHONE.chain, decides=True)
    assert again == [Put(both)]
    assert household.told_by([Put(received())]) == ()


def test_the_invitation_that_got_further_holds_and_an_alarm_stays() -> None:
    alarmed = replace(INVITED, also_proved_by="cd" * 32, also_proved_ms=5)
    confirmed = replace(ACCEPTED, status=InvitationStatus.CONFIRMED, secret=None)
    assert taken(confirmed, alarmed) == [
        Put(replace(confirmed, secret=INVITED.secret, also_proved_by="cd" * 32, also_proved_ms=5))
    ]
    assert taken(INVITED, confirmed) == []


def test_an_invitation_that_was_taken_back_has_no_secret_on_any_device() -> None:
    gone = replace(INVITED, status=InvitationStatus.REVOKED, secret=None)
    assert INVITED.secret is not None
    assert taken(gone, INVITED) == [Put(gone)]
    assert taken(INVITED, gone) == []
    assert taken(gone, INVITED, decides=False) == [Put(gone)], "an end counts from any device"


def test_two_who_proved_one_secret_each_to_another_device_are_the_alarm_of_a_leaked_token() -> None:
    other = replace(ACCEPTED, accepted_by="ef" * 32, acceptance="ee" * 32)
    assert taken(other, ACCEPTED) == [Put(replace(ACCEPTED, also_proved_by="ef" * 32, also_proved_ms=NOW_MS))]
    assert taken(ACCEPTED, ACCEPTED) == []
    confirmed = replace(other, status=InvitationStatus.CONFIRMED)
    assert taken(confirmed, ACCEPTED) == [
        Put(replace(confirmed, also_proved_by="ef" * 32, also_proved_ms=NOW_MS))
    ]
    alarmed = replace(ACCEPTED, also_proved_by="cd" * 32, also_proved_ms=5)
    assert taken(alarmed, ACCEPTED) == [Put(alarmed)], "what one device was alarmed of, the others show too"
    assert taken(other, alarmed) == []


def test_what_was_offered_here_outlives_a_yes_that_another_device_tells() -> None:
    offering = replace(INVITED, offer={"x": 1}, offer_identities=(("/p", 1, 2),), offered_on="aa" * 32)
    confirmed = replace(ACCEPTED, status=InvitationStatus.CONFIRMED, offered_on="aa" * 32)
    (put,) = taken(confirmed, offering)
    assert isinstance(put, Put)
    assert isinstance(put.record, InvitationRecord)
    assert (put.record.offer, put.record.offer_identities) == (offering.offer, offering.offer_identities)
    assert (put.record.offered_on, put.record.accepted_by) == ("aa" * 32, ACCEPTED.accepted_by)


def test_a_rule_that_was_taken_back_never_returns() -> None:
    removed: Any = household.told_by([Forget(ALLOWED)])[0]
    assert household.rule(removed, ALLOWED, was_removed=False, decides=True) == [Forget(ALLOWED)]
    assert household.rule(removed, None, was_removed=False, decides=True) == []
    by_its_id = household.removed("rule1")
    assert household.rule(by_its_id, ALLOWED, was_removed=False, decides=True) == [Forget(ALLOWED)]
    allowed: Any = household.entry_of(ALLOWED)
    assert household.rule(allowed, None, was_removed=True, decides=True) == []


def test_words_that_no_version_says_are_refused() -> None:
    with pytest.raises(ValueError, match="sworn"):
        household.pin(replace(PIN, trust="sworn"), None, decides=True)
    with pytest.raises(ValueError, match="sideways"):
        told(replace(EDGE_ENTRY, direction="sideways"))
    with pytest.raises(ValueError, match="lost"):
        household.invitation(replace(INVITATION, status="lost"), None, NOW_MS, decides=True)


# -- what has to be proved -------------------------------------------------------------------------------


def told(entry: Any, known: EdgeRecord | None = None, peer: Any = PHONE.chain) -> list[Effect]:
    return household.edge(entry, known, ALICE.chain, peer, decides=True)


def test_an_edge_counts_by_the_grant_that_its_trustor_has_signed_for_its_other_side() -> None:
    assert told(EDGE_ENTRY)
    for wrong, known, peer, code in (
        (replace(EDGE_ENTRY, grant=BOB.chain.links[0]), None, PHONE.chain, "unsupported"),
        (replace(EDGE_ENTRY, edge=EdgeId(b"z" * 16)), None, PHONE.chain, "no_edge"),
        (replace(EDGE_ENTRY, direction="incoming"), None, PHONE.chain, "no_edge"),
        (replace(EDGE_ENTRY, direction="incoming"), HELD, PHONE.chain, "no_edge"),
        (EDGE_ENTRY, replace(HELD, peer="ab" * 32), PHONE.chain, "no_edge"),
        (EDGE_ENTRY, None, None, "chain_unknown"),
    ):
        with pytest.raises(RefusedError) as refused:
            told(wrong, known, peer)
        assert refused.value.code == code


def test_a_contact_counts_by_its_own_chain_also_as_evidence() -> None:
    for wrong in (replace(PIN, links=ALICE.chain.links), replace(PIN, conflict=ALICE.chain.links)):
        with pytest.raises(RefusedError, match="not"):
            household.pin(wrong, None, decides=True)


def test_of_a_device_that_does_not_decide_only_ends_and_grown_chains_count() -> None:
    for record in (CONTACT, HELD, INVITED, ALLOWED):
        assert taken(record, decides=False) == []
    grown = replace(CONTACT, chain=tuple(link.to_json() for link in rotated(BOB.chain, "new", BOB).links))
    praised = replace(grown, trust=Trust.COMPARED, alias="boss", address="boss@example.org")
    assert taken(praised, CONTACT, decides=False) == [Put(grown)]
    revoked = replace(HELD, status=EdgeStatus.REVOKED)
    assert taken(revoked, HELD, decides=False) == [Put(revoked)]
    assert taken(HELD, replace(HELD, status=EdgeStatus.PENDING), decides=False) == []
    assert taken(replace(HELD, status=EdgeStatus.EXPIRED), revoked, decides=False) == []
    declined = replace(INVITED, status=InvitationStatus.DECLINED)
    assert taken(replace(declined, secret=None), INVITED, decides=False) == [Put(declined)]
    assert taken(replace(ACCEPTED, status=InvitationStatus.CONFIRMED), INVITED, decides=False) == []
    gone: Any = household.told_by([Forget(ALLOWED)])[0]
    assert household.rule(gone, ALLOWED, was_removed=False, decides=False) == [Forget(ALLOWED)]
