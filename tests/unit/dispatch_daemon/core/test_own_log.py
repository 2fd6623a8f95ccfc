"""A log goes on by digest, is divided where it is large, and is followed without a gap."""

from dataclasses import replace

from dispatch_daemon.core import own_log
from dispatch_daemon.core.effects import Effect, Put, Send
from dispatch_daemon.core.records import HouseholdRecord
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.messages.household import Log, LogHead, NameEntry
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind
from tests.support.desk import ALICE_OWN, MOMENT, puts
from tests.support.documents import ALICE, BOB, NOW_MS, digest
from tests.support.household import ENTRIES, HEADS, household_log

PIN, _, _, RULE, *_ = ENTRIES


def logs(effects: list[Effect]) -> list[Log]:
    bodies = [decode_body(Kind.LOG, each.body) for each in effects if isinstance(each, Send)]
    assert all(isinstance(body, Log) for body in bodies)
    return bodies  # type: ignore[return-value]  # checked in the line before


def test_a_log_begins_and_goes_on_by_digest() -> None:
    first = own_log.told([PIN], ALICE_OWN, [], MOMENT)
    (record,) = puts(first, HouseholdRecord)
    assert (record.seq, record.prev, record.device) == (1, Digest.ZERO.hex, ALICE.device.hex)
    (send,) = (each for each in first if isinstance(each, Send))
    assert (send.digest, send.to, send.edge) == (record.digest, ALICE_OWN.genesis, EdgeId.SELF.hex)
    mine = LogHead(device=ALICE.device, seq=1, digest=Digest.from_hex(record.digest))
    theirs = LogHead(device=BOB.device, seq=7, digest=digest("theirs"))
    (second,) = logs(own_log.told([RULE], ALICE_OWN, [theirs, mine], MOMENT))
    assert (second.seq, second.prev, second.heads) == (2, mine.digest, (theirs, mine))


def test_a_log_without_entries_says_how_far_its_author_has_come() -> None:
    (log,) = logs(own_log.told([], ALICE_OWN, HEADS, MOMENT))
    assert (log.seq, log.entries, log.heads) == (2, (), HEADS)


def test_many_entries_are_divided_and_linked() -> None:
    names = [NameEntry(device=ALICE.device, name=f"n{n}", named_ms=n) for n in range(450)]
    documents = logs(own_log.told(names, ALICE_OWN, [], MOMENT))
    assert [log.seq for log in documents] == [1, 2, 3]
    assert [entry for log in documents for entry in log.entries] == names
    assert len({log.head.nonce for log in documents}) == 3
    fed = logs(own_log.fed(names, ALICE_OWN, HEADS, MOMENT))
    assert [(log.seq, log.prev, log.heads) for log in fed] == [(0, Digest.ZERO, HEADS)] * 3


def test_large_entries_are_divided_by_their_size() -> None:
    rules = [replace(RULE, rule_id=str(n), command="x" * 90_000) for n in range(8)]
    assert len(logs(own_log.told(rules, ALICE_OWN, [], MOMENT))) == 2


def test_a_document_of_another_log_is_kept_as_it_was_signed() -> None:
    (put,) = own_log.followed(household_log(), "ab" * 32, b"signed", [], {}, NOW_MS)
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
    (base,) = puts(own_log.followed(feed, "ab" * 32, b"signed", HEADS, {}, NOW_MS), HouseholdRecord)
    assert (base.device, base.seq, base.digest, base.signed) == (BOB.device.hex, 5, digest("fifth").hex, b"")


def test_what_was_said_counts_when_it_was_said_and_not_when_it_came() -> None:
    log = household_log()
    (late,) = puts(own_log.followed(log, "ab" * 32, b"signed", [], {}, NOW_MS + 5), HouseholdRecord)
    (early,) = puts(own_log.followed(log, "ab" * 32, b"signed", [], {}, NOW_MS - 5), HouseholdRecord)
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
    bases = puts(own_log.followed(feed, "ab" * 32, b"", known, heard, NOW_MS + 5), HouseholdRecord)
    assert [(base.seq, base.at_ms, base.signed) for base in bases] == [
        (9, feed.head.created_ms, b""),  # Alice's device is the one that speaks
        (9, 7, b""),
    ]
    assert own_log.followed(feed, "ab" * 32, b"", [mine, other], heard, NOW_MS) == []


def test_next_unheard_document_is_the_one_after_what_another_log_follows() -> None:
    log = household_log(heads=(LogHead(device=ALICE.device, seq=4, digest=digest("fourth")),))
    assert own_log.next_unheard(log, ALICE.device) == 5
    assert own_log.next_unheard(log, BOB.device) == 1
