"""What a relay loses of a household's logs, and what a thief says of them: whoever lacks something gets it, and no log is stopped."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from dispatch_daemon.app.unheard import trouble
from dispatch_daemon.core.effects import Effect, Forget, Put, TaskKind
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_daemon.core.trust_records import RuleRecord
from dispatch_protocol.keys import DeviceId, Digest, SealingKey, SigningKey
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.limits import SAFE_INTEGER
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, sign_link
from dispatch_protocol.messages.household import Entry, Log, LogHead, NameEntry
from dispatch_protocol.messages.shared_acts import ActsEntry
from dispatch_protocol.messages.shared_trust import RuleEntry
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from tests.support.ageing_device import AgeingDevice
from tests.support.desk import received
from tests.support.documents import digest, fixed
from tests.support.sibling_words import hears, leaves, said

RULE = RuleRecord(rule_id="r1", edge="11" * 16, tool="Bash", command="make deploy", created_ms=1)
THIRD = SigningKey(fixed("a third device"))


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[AgeingDevice]:
    """A device beside another one, which a test speaks for."""
    made = AgeingDevice(tmp_path)
    await made.pair()
    yield made
    made.close()


async def joins(device: AgeingDevice) -> None:
    """Let a third device stand in the chain."""
    seal = SealingKey(fixed("a third seal")).public
    link = AddDeviceLink(device=THIRD.device, sealing=seal, roles=ALL_ROLES, **device.place(device.chain))
    document = sign_link(link, (device.people.keys.signing, THIRD))
    await device.own_chain.take([*device.chain.links, document])


async def loses(device: AgeingDevice, *effects: Effect) -> None:
    """Let something be decided of which the relay loses the telling."""
    await device.performer.perform(effects)
    leaves(device)


async def beat(device: AgeingDevice) -> None:
    """Let a day's task be settled."""
    await device.performer.perform([device.household.plan(0)])
    task = device.journal.tasks.get(TaskKind.BEAT, "household")
    assert task is not None
    await device.household.beat(task)


def with_words(device: AgeingDevice, of: DeviceId) -> int:
    """Return how many documents of a log can still be told."""
    return len(device.journal.logs.said(of.hex, 1, SAFE_INTEGER, 1_000))


def stood_at(device: AgeingDevice, seq: int) -> Digest:
    """Return which document of the other device's log is held in a place."""
    held = device.journal.logs.held(device.other.device.hex, seq)
    assert held is not None
    return Digest.from_hex(held)


def entries_but_acts(log: Log) -> list[Entry]:
    """Return what a document says beside how the private log of its author has grown."""
    return [entry for entry in log.entries if not isinstance(entry, ActsEntry)]


def stands(device: AgeingDevice, of: DeviceId) -> tuple[int, Digest] | None:
    """Return how far a log is followed."""
    return next(((head.seq, head.digest) for head in device.household.heads() if head.device == of), None)


def own_head(device: AgeingDevice) -> LogHead:
    own = device.people.own.device
    return next(head for head in device.household.heads() if head.device == own)


# -- what a relay loses ----------------------------------------------------------------------------------


async def test_rule_that_was_taken_back_is_taken_back_on_whoever_lacks_that(device: AgeingDevice) -> None:
    await loses(device, Put(RULE))
    followed = own_head(device)
    await loses(device, Forget(RULE))
    await hears(device, [followed], days=2)
    (log,) = said(device)
    assert (log.seq, log.prev) == (2, followed.digest)
    (entry,) = entries_but_acts(log)
    assert isinstance(entry, RuleEntry)
    assert (entry.rule_id, entry.removed) == ("r1", True)


async def test_handover_reaches_whoever_lacks_it(device: AgeingDevice) -> None:
    own, other = device.people.own.device, device.other.device
    await loses(
        device,
        Put(HandoverRecord(digest=digest("x").hex, turn=1, giver=own.hex, taker=other.hex, handed_ms=1)),
    )
    await hears(device, days=2)
    assert [entries_but_acts(log) for log in said(device)] == [
        [HandoverEntry(dispatch=digest("x"), turn=1, to=other, handed_ms=1)]
    ]


async def test_who_has_joined_since_is_fed_what_there_is_to_know_and_what_was_taken_back(
    device: AgeingDevice,
) -> None:
    await loses(device, Put(RULE))
    await loses(device, Forget(RULE))
    await joins(device)
    leaves(device)
    await hears(device, [own_head(device)], days=2)
    assert said(device) == [], "the other one has followed"
    await hears(device, by=THIRD, days=2)
    base, log = said(device)
    assert (base.seq, base.entries) == (0, ())
    assert [(head.device, head.seq) for head in base.heads if head.device == own_head(device).device] == [
        (own_head(device).device, log.seq - 1)
    ]
    removed = [entry for entry in log.entries if isinstance(entry, RuleEntry)]
    assert [(entry.rule_id, entry.removed) for entry in removed] == [("r1", True)]
    leaves(device)
    await hears(device, base.heads, by=THIRD, seq=2, days=4)
    assert said(device) == [log], "a part of a feed that is lost is told again as well"


async def test_feed_is_taken_once_and_what_it_names_still_may_come(device: AgeingDevice) -> None:
    seventh = LogHead(device=device.other.device, seq=7, digest=digest("seventh"))
    await hears(device, [seventh], seq=0)
    assert stands(device, device.other.device) == (7, seventh.digest)
    assert device.journal.logs.document(seventh.digest.hex) is None


async def test_first_document_that_comes_after_a_base_is_followed_and_no_second_history(
    device: AgeingDevice,
) -> None:
    """A base has no place in the log that it begins, so nothing stands before its first document."""
    await hears(device, seq=0)
    await hears(device, seq=1)
    await hears(device, seq=2)
    assert stands(device, device.other.device) == (2, stood_at(device, 2))
    assert trouble(device.journal, device.people, device.clock.now_ms()) is None


async def test_log_that_begins_in_its_middle_is_not_followed(device: AgeingDevice) -> None:
    await hears(device, seq=7)
    assert stands(device, device.other.device) is None


# -- what a thief says -----------------------------------------------------------------------------------


async def test_nobody_else_says_where_ones_own_log_stands(device: AgeingDevice) -> None:
    me = device.people.own.device
    await device.household.tell()
    await hears(device, [LogHead(device=me, seq=SAFE_INTEGER, digest=digest("x"))], seq=0)
    leaves(device)
    await device.household.rename(me, "laptop")
    assert [log.seq for log in said(device)] == [2]


async def test_whatever_is_said_of_a_log_its_author_says_where_it_stands(device: AgeingDevice) -> None:
    await joins(device)
    await hears(device, [LogHead(device=THIRD.device, seq=SAFE_INTEGER, digest=digest("x"))], seq=0)
    await hears(device, [LogHead(device=THIRD.device, seq=3, digest=digest("third"))], seq=0, by=THIRD)
    assert stands(device, THIRD.device) == (3, digest("third"))
    await hears(device, [LogHead(device=THIRD.device, seq=9, digest=digest("y"))], seq=0, days=1)
    assert stands(device, THIRD.device) == (3, digest("third")), "nobody else moves what is followed"


async def test_name_from_the_future_is_outdone_by_the_next_one(device: AgeingDevice) -> None:
    me = device.people.own.device
    await hears(device, (), NameEntry(device=me, name="mine now", named_ms=SAFE_INTEGER))
    assert device.household.names()[me.hex][0] == "mine now"
    device.after_days(1)
    await device.household.rename(me, "laptop")
    assert device.household.names()[me.hex][0] == "laptop"


async def test_of_two_histories_of_one_log_the_first_is_kept_and_the_person_is_told(
    device: AgeingDevice,
) -> None:
    other = device.other.device

    def wrong() -> str | None:
        return trouble(device.journal, device.people, device.clock.now_ms())

    await hears(device)
    await hears(device, seq=2)
    stood = stands(device, other)
    assert wrong() is None
    await hears(device, (), NameEntry(device=other, name="set back", named_ms=1), seq=2, days=0.1)
    assert stands(device, other) == stood
    assert "two histories were told of what set back has said" in str(wrong())


# -- what a device has said that has left ----------------------------------------------------------------


async def leaves_the_chain(device: AgeingDevice, key: SigningKey) -> None:
    """Let this device revoke another one."""
    link = RevokeDeviceLink(device=key.device, **device.place(device.chain))
    await device.own_chain.take([*device.chain.links, sign_link(link, (device.people.keys.signing,))])


DID = DeedEntry(
    dispatch=digest("x"),
    device=THIRD.device,
    deed=Deed.FINISHED,
    run_id=UUID(int=9),
    outcome=Outcome.SUCCESS,
    done_ms=1,
)


async def test_what_a_lost_device_had_done_is_told_on_to_whoever_lacks_it(device: AgeingDevice) -> None:
    await joins(device)
    await device.performer.perform([Put(received(digest=DID.dispatch.hex))])
    await hears(device, [], DID, by=THIRD)
    await leaves_the_chain(device, THIRD)
    leaves(device)
    mine = [head for head in device.household.heads() if head.device != THIRD.device]
    await hears(device, mine, days=2)
    base, *rest = said(device)
    assert [(head.device, head.seq) for head in base.heads if head.device == THIRD.device] == [
        (THIRD.device, 1)
    ]
    assert DID in [entry for log in rest for entry in log.entries]
    leaves(device)
    await hears(device, device.household.heads(), seq=2, days=4)
    assert said(device) == [], "it knows all of it by now"


async def test_what_is_told_on_of_a_lost_device_counts_and_nothing_after_it(device: AgeingDevice) -> None:
    await joins(device)
    await hears(device, by=THIRD)
    last = LogHead(device=THIRD.device, seq=3, digest=digest("third"))
    await hears(device, [last], seq=0)
    await hears(device, [], DID, days=0.1)
    assert stands(device, THIRD.device) != (3, last.digest), "as long as it is here it speaks for itself"
    assert device.journal.deeds(DID.dispatch.hex) == []
    await leaves_the_chain(device, THIRD)
    await hears(device, [last], seq=0, days=1)
    await hears(device, [], DID, seq=2, days=1.1)
    assert stands(device, THIRD.device) == (3, last.digest)
    assert [each.outcome for each in device.journal.deeds(DID.dispatch.hex)] == [Outcome.SUCCESS]


# -- what nobody can lack any more -----------------------------------------------------------------------


async def test_words_that_every_other_device_has_followed_are_let_go_and_who_lost_them_is_fed(
    device: AgeingDevice,
) -> None:
    me = device.people.own.device
    await loses(device, Put(RULE))
    await device.household.rename(me, "laptop")
    followed = own_head(device)
    await hears(device, [followed], days=1)
    leaves(device)
    await beat(device)
    assert with_words(device, me) == 1, "the beat that was said just now, and nobody has heard"
    assert device.journal.logs.held(me.hex, 1) is not None, "its place and its digest stay"
    leaves(device)
    await hears(device, [], seq=2, days=3)
    base, *rest = said(device)
    assert (
        base.seq,
        [entry.rule_id for log in rest for entry in log.entries if isinstance(entry, RuleEntry)],
    ) == (
        0,
        ["r1"],
    )


async def test_words_that_one_device_lacks_are_kept(device: AgeingDevice) -> None:
    me = device.people.own.device
    await joins(device)
    await loses(device, Put(RULE))
    await hears(device, [own_head(device)], days=1)
    await beat(device)
    assert with_words(device, me) == 2, "the third one has not said that it follows"


async def test_what_others_said_long_ago_loses_its_words_and_no_place(device: AgeingDevice) -> None:
    await hears(device)
    await hears(device, seq=2, days=31)
    await beat(device)
    other = device.other.device
    assert (with_words(device, other), stands(device, other)) == (1, (2, stood_at(device, 2)))


async def test_of_two_neighbours_that_do_not_fit_the_first_that_came_is_kept(device: AgeingDevice) -> None:
    other = device.other.device
    await hears(device, seq=2)
    await hears(device, seq=1)
    assert stands(device, other) is None, "the second one goes on from another first"
    assert "two histories were told" in str(trouble(device.journal, device.people, device.clock.now_ms()))
