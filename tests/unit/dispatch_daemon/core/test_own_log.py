"""A log goes on by digest, is divided where it is large, and is followed without a gap."""

from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.core import own_log
from dispatch_daemon.core.effects import Effect, Send
from dispatch_daemon.core.shared_records import HouseholdRecord
from dispatch_protocol.encoding import dumps
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.limits import DEVICES, TASK_CHARS
from dispatch_protocol.messages.household import Log, LogHead, NameEntry
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import sign
from tests.support.desk import ALICE_OWN, MOMENT, puts
from tests.support.documents import ALICE, BOB, NOW_MS, digest, person, with_device
from tests.support.household import ENTRIES, HEADS, household_log

PIN, _, _, RULE, *_ = ENTRIES
CAROL = person("carol")


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


def test_a_feed_says_from_where_logs_are_followed_and_goes_on_with_its_authors_own() -> None:
    names = [NameEntry(device=ALICE.device, name=f"n{n}", named_ms=n) for n in range(450)]
    base, *rest = logs(own_log.fed(names, ALICE_OWN, HEADS, MOMENT))
    assert (base.seq, base.prev, base.heads, base.entries) == (0, Digest.ZERO, HEADS, ())
    assert [log.seq for log in rest] == [2, 3, 4]
    assert [entry for log in rest for entry in log.entries] == names
    assert len({log.head.nonce for log in (base, *rest)}) == 4


def test_what_no_document_has_room_for_is_left_out() -> None:
    fat = replace(PIN, links=PIN.links * (own_log.LARGEST // len(dumps(PIN.links[0].to_json())) + 2))
    (log,) = logs(own_log.told([fat, RULE], ALICE_OWN, [], MOMENT))
    assert log.entries == (RULE,)


def test_what_just_fits_goes_with_the_heads_of_a_whole_household() -> None:
    heads = [LogHead(device=person(f"d{n}").device, seq=9, digest=digest(f"{n}")) for n in range(DEVICES)]
    longest = "\\" * TASK_CHARS  # two bytes each, as JSON
    rules = [replace(RULE, rule_id=str(n), command=longest) for n in range(4)]
    assert own_log.ENTRY_BYTES < own_log.LARGEST
    for log in logs(own_log.told(rules, ALICE_OWN, heads, MOMENT)):
        assert len(log.heads) == DEVICES


def test_a_document_is_owed_again_as_the_very_same_bytes_and_to_whom_it_was_sealed() -> None:
    (first,) = (each for each in own_log.told([PIN], ALICE_OWN, [], MOMENT) if isinstance(each, Send))
    signed = sign(ALICE.sign, first.payload_type, first.body)
    assert own_log.again(signed) == first
    phone = with_device(ALICE, "phone")
    assert own_log.was_for(signed, ALICE.device, phone.chain)
    assert not own_log.was_for(signed, phone.device, phone.chain)
    assert not own_log.was_for(signed, ALICE.device, BOB.chain)
    assert own_log.place_of(signed) == 1


def test_large_entries_are_divided_by_their_size() -> None:
    rules = [replace(RULE, rule_id=str(n), command="x" * 90_000) for n in range(8)]
    assert len(logs(own_log.told(rules, ALICE_OWN, [], MOMENT))) == 2


def followed(
    log: Log,
    heads: Sequence[LogHead] = (),
    now_ms: int = NOW_MS,
    active: frozenset[DeviceId] = frozenset({ALICE.device, BOB.device, CAROL.device}),
) -> list[HouseholdRecord]:
    """Return what Carol's device keeps of a document of Alice's."""
    heard = {BOB.device.hex: 7, ALICE.device.hex: 7}
    return puts(
        own_log.followed(log, "ab" * 32, b"signed", heads, heard, now_ms, CAROL.device, active),
        HouseholdRecord,
    )


def test_a_document_of_another_log_is_kept_as_it_was_signed() -> None:
    assert followed(household_log()) == [
        HouseholdRecord(
            digest="ab" * 32,
            device=ALICE.device.hex,
            seq=2,
            prev=digest("first").hex,
            at_ms=NOW_MS,
            signed=b"signed",
        )
    ]


def test_what_was_said_counts_when_it_was_said_and_not_when_it_came() -> None:
    (late,) = followed(household_log(), now_ms=NOW_MS + 5)
    (early,) = followed(household_log(), now_ms=NOW_MS - 5)
    assert (late.at_ms, early.at_ms) == (NOW_MS, NOW_MS - 5)


MINE, OTHER, CAROLS = (
    LogHead(device=who.device, seq=9, digest=digest(f"ninth {who.name}")) for who in (ALICE, BOB, CAROL)
)
FEED = household_log(seq=0, prev=Digest.ZERO, heads=(MINE, OTHER, CAROLS))


def bases(heads: Sequence[LogHead]) -> list[tuple[str, int, str, int]]:
    own, *found = followed(FEED, heads, NOW_MS + 5)
    assert (own.seq, own.signed) == (0, b"signed"), "a feed is taken once, too"
    assert not any(base.signed for base in found)
    return [(base.device, base.seq, base.prev, base.at_ms) for base in found]


def test_who_follows_nothing_begins_where_a_feed_says_and_never_with_its_own_log() -> None:
    assert bases([]) == [
        (ALICE.device.hex, 9, MINE.digest.hex, NOW_MS),
        (BOB.device.hex, 9, OTHER.digest.hex, 7),
    ]
    assert bases([replace(OTHER, device=CAROL.device, seq=3)]) == bases([])


def test_what_is_followed_already_moves_by_its_authors_own_word_alone() -> None:
    moved = [(ALICE.device.hex, 9, MINE.digest.hex, NOW_MS)]
    assert bases([replace(MINE, seq=2), replace(OTHER, seq=2)]) == moved
    assert bases([replace(MINE, seq=2**53 - 1), OTHER]) == moved, "whatever anybody else has said of it"
    assert bases([MINE, OTHER]) == []


def test_what_is_followed_of_a_device_that_has_left_moves_on_by_anybodys_word_and_never_back() -> None:
    def moved(seq: int) -> list[str]:
        _, *found = followed(FEED, [MINE, replace(OTHER, seq=seq)], active=frozenset({ALICE.device}))
        return [base.device for base in found]

    assert (moved(2), moved(9), moved(10)) == ([BOB.device.hex], [], [])


def test_who_lacks_what_a_device_has_said_that_has_left_is_known_by_the_heads() -> None:
    log, alone = household_log(heads=(replace(OTHER, seq=5),)), {ALICE.device}
    assert own_log.lacks_departed(log, [MINE, OTHER], alone)
    assert own_log.lacks_departed(household_log(heads=()), [OTHER], alone)
    assert not own_log.lacks_departed(log, [replace(OTHER, seq=5)], alone)
    assert not own_log.lacks_departed(log, [MINE, OTHER], {ALICE.device, BOB.device}), "its author tells it"


def test_one_place_is_kept_for_each_log_and_it_is_no_document() -> None:
    _, one, two = followed(FEED)
    assert {one.digest, two.digest} == {f"base {MINE.device.hex}", f"base {OTHER.device.hex}"}


def test_one_place_holds_one_document_and_each_goes_on_from_the_one_before() -> None:
    log, one, other = household_log(), "ab" * 32, "cd" * 32
    held = ((None, None, None), (one, None, None), (None, log.prev.hex, None), (None, None, one))
    for same, before, after in held:
        assert not own_log.contradicts(log, one, same, before, after)
    assert own_log.contradicts(log, one, other, None, None)
    assert own_log.contradicts(log, one, None, other, None)
    assert own_log.contradicts(log, one, None, None, other), "what came first goes on from another one"
    assert not own_log.contradicts(FEED, one, other, other, other), "a base has no place"
    first = household_log(seq=1, prev=Digest.ZERO)
    assert not own_log.contradicts(first, one, None, other, None), "nothing stands before the first one"
    assert own_log.contradicts(first, one, other, None, None)


def test_next_unheard_document_is_the_one_after_what_another_log_follows() -> None:
    log = household_log(heads=(LogHead(device=ALICE.device, seq=4, digest=digest("fourth")),))
    assert own_log.next_unheard(log, ALICE.device) == 5
    assert own_log.next_unheard(log, BOB.device) == 1


def test_a_log_goes_on_from_what_is_about_to_be_written() -> None:
    others = LogHead(device=BOB.device, seq=4, digest=digest("fourth"))
    mine = LogHead(device=ALICE.device, seq=1, digest=digest("first"))
    heads, effects = [others, mine], own_log.told((), ALICE_OWN, [others, mine], MOMENT)
    (record,) = puts(effects, HouseholdRecord)
    assert own_log.after([], heads, ALICE.device) == heads
    assert own_log.after(effects, heads, BOB.device) == heads
    after = own_log.after(effects, heads, ALICE.device)
    assert after == [others, LogHead(device=ALICE.device, seq=2, digest=Digest.from_hex(record.digest))]
    assert not own_log.is_base(record)
