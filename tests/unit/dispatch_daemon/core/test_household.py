"""What one's devices tell each other comes out at the other end, twice and in any order, as the same."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import grants, household, pins
from dispatch_daemon.core.effects import Effect, Forget, Put, Send, TaskKind, Unplan
from dispatch_daemon.core.records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    HouseholdRecord,
    InvitationRecord,
    InvitationStatus,
    RuleRecord,
    Trust,
)
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.links import RecoverLink, sign_link
from dispatch_protocol.messages.household import EdgeEntry, Log, LogHead, NameEntry
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import sign_document
from dispatch_protocol.standing import EdgeStatus
from tests.support.desk import ALICE_OWN, MOMENT, puts, received
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, digest, fixed, grant, head, rotated
from tests.support.household import ENTRIES, GRANT, HEADS, household_log

PIN, EDGE_ENTRY, INVITATION, RULE, *_ = ENTRIES
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


def taken(record: Any, known: Any = None) -> list[Effect]:
    """Take in what is told of a record."""
    entry: Any = household.entry_of(record)
    match record:
        case ContactRecord():
            return household.pin(entry, known)
        case EdgeRecord():
            return household.edge(entry, known)
        case InvitationRecord():
            return household.invitation(entry, known, NOW_MS)
        case _:
            return household.rule(entry, known, was_removed=False)


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


# -- the log ---------------------------------------------------------------------------------------------


def logs(effects: list[Effect]) -> list[Log]:
    bodies = [decode_body(Kind.LOG, each.body) for each in effects if isinstance(each, Send)]
    assert all(isinstance(body, Log) for body in bodies)
    return bodies  # type: ignore[return-value]  # checked in the line before


def test_a_log_begins_and_goes_on_by_digest() -> None:
    first = household.told([PIN], ALICE_OWN, [], MOMENT)
    (record,) = puts(first, HouseholdRecord)
    assert (record.seq, record.prev, record.device) == (1, Digest.ZERO.hex, ALICE.device.hex)
    (send,) = (each for each in first if isinstance(each, Send))
    assert (send.digest, send.to, send.edge) == (record.digest, ALICE_OWN.genesis, EdgeId.SELF.hex)
    mine = LogHead(device=ALICE.device, seq=1, digest=Digest.from_hex(record.digest))
    theirs = LogHead(device=BOB.device, seq=7, digest=digest("theirs"))
    (second,) = logs(household.told([RULE], ALICE_OWN, [theirs, mine], MOMENT))
    assert (second.seq, second.prev, second.heads) == (2, mine.digest, (theirs, mine))


def test_a_log_without_entries_says_how_far_its_author_has_come() -> None:
    (log,) = logs(household.told([], ALICE_OWN, HEADS, MOMENT))
    assert (log.seq, log.entries, log.heads) == (2, (), HEADS)


def test_many_entries_are_divided_and_linked() -> None:
    names = [NameEntry(device=ALICE.device, name=f"n{n}", named_ms=n) for n in range(450)]
    documents = logs(household.told(names, ALICE_OWN, [], MOMENT))
    assert [log.seq for log in documents] == [1, 2, 3]
    assert [entry for log in documents for entry in log.entries] == names
    assert len({log.head.nonce for log in documents}) == 3
    fed = logs(household.fed(names, ALICE_OWN, HEADS, MOMENT))
    assert [(log.seq, log.prev, log.heads) for log in fed] == [(0, Digest.ZERO, HEADS)] * 3


def test_large_entries_are_divided_by_their_size() -> None:
    rules = [replace(RULE, rule_id=str(n), command="x" * 90_000) for n in range(8)]
    assert len(logs(household.told(rules, ALICE_OWN, [], MOMENT))) == 2


def test_a_document_of_another_log_is_kept_as_it_was_signed() -> None:
    (put,) = household.followed(household_log(), "ab" * 32, b"signed", [], {}, NOW_MS)
    assert put == Put(
        HouseholdRecord(
            digest="ab" * 32,
            device=ALICE.device.hex,
            seq=2,
            prev=digest("first").hex,
            at_ms=NOW_MS,
            signed=b"signed",
        )
    )


def test_a_feed_says_from_where_logs_are_followed() -> None:
    other = LogHead(device=BOB.device, seq=5, digest=digest("fifth"))
    feed = household_log(seq=0, prev=Digest.ZERO, heads=(*HEADS, other))
    (base,) = puts(household.followed(feed, "ab" * 32, b"signed", HEADS, {}, NOW_MS), HouseholdRecord)
    assert (base.device, base.seq, base.digest, base.signed) == (BOB.device.hex, 5, digest("fifth").hex, b"")


def test_what_was_said_counts_when_it_was_said_and_not_when_it_came() -> None:
    log = household_log()
    (late,) = puts(household.followed(log, "ab" * 32, b"signed", [], {}, NOW_MS + 5), HouseholdRecord)
    (early,) = puts(household.followed(log, "ab" * 32, b"signed", [], {}, NOW_MS - 5), HouseholdRecord)
    assert (late.at_ms, early.at_ms) == (log.head.created_ms, NOW_MS - 5)


def test_a_feed_ends_every_gap_and_only_its_author_was_heard() -> None:
    """A log that is known up to its second document stands at its ninth after the feed of somebody who has followed it."""
    mine, other = (
        LogHead(device=device, seq=9, digest=digest(f"ninth {name}"))
        for name, device in (("alice", ALICE.device), ("bob", BOB.device))
    )
    known = [replace(head, seq=2) for head in (mine, other)]
    feed = household_log(seq=0, prev=Digest.ZERO, heads=(mine, other))
    heard = {BOB.device.hex: 7, ALICE.device.hex: 7}
    bases = puts(household.followed(feed, "ab" * 32, b"", known, heard, NOW_MS + 5), HouseholdRecord)
    assert [(base.seq, base.at_ms, base.signed) for base in bases] == [
        (9, feed.head.created_ms, b""),  # Alice's device is the one that speaks
        (9, 7, b""),
    ]
    assert household.followed(feed, "ab" * 32, b"", [mine, other], heard, NOW_MS) == []


def test_next_unheard_document_is_the_one_after_what_another_log_follows() -> None:
    log = household_log(heads=(LogHead(device=ALICE.device, seq=4, digest=digest("fourth")),))
    assert household.next_unheard(log, ALICE.device) == 5
    assert household.next_unheard(log, BOB.device) == 1


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
    other = grant(
        version=Version(1, ALICE.device), head=head(ALICE, BOB), scopes=Scopes(tools=("Glob", "Read"))
    )
    document = sign_document([ALICE.sign], payload_type(Kind.GRANT), other.encode())
    both = grants.joined(HELD, document)
    first, second = household.told_by([Put(both)])
    assert isinstance(first, EdgeEntry)
    assert isinstance(second, EdgeEntry)
    (begun,) = household.edge(first, None)
    assert isinstance(begun, Put)
    assert isinstance(begun.record, EdgeRecord)
    assert household.edge(second, begun.record) == [Put(both)]
    assert household.told_by([Put(received())]) == ()


def test_the_invitation_that_got_further_holds_and_an_alarm_stays() -> None:
    alarmed = replace(INVITED, also_proved_by="cd" * 32, also_proved_ms=5)
    confirmed = replace(ACCEPTED, status=InvitationStatus.CONFIRMED, secret=None)
    assert taken(confirmed, alarmed) == [
        Put(replace(confirmed, secret=INVITED.secret, also_proved_by="cd" * 32, also_proved_ms=5))
    ]
    assert taken(INVITED, confirmed) == []


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
    assert household.rule(removed, ALLOWED, was_removed=False) == [Forget(ALLOWED)]
    assert household.rule(removed, None, was_removed=False) == []
    allowed: Any = household.entry_of(ALLOWED)
    assert household.rule(allowed, None, was_removed=True) == []


def test_words_that_no_version_says_are_refused() -> None:
    with pytest.raises(ValueError, match="sworn"):
        household.pin(replace(PIN, trust="sworn"), None)
    with pytest.raises(ValueError, match="sideways"):
        household.edge(replace(EDGE_ENTRY, direction="sideways"), None)
    with pytest.raises(ValueError, match="lost"):
        household.invitation(replace(INVITATION, status="lost"), None, NOW_MS)
    with pytest.raises(DispatchError):
        household.edge(replace(EDGE_ENTRY, grant=BOB.chain.links[0]), None)
