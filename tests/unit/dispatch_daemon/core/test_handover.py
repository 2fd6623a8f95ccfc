"""Who runs a dispatch is one device at a time, on every device that knows the same, in whatever order it came to know it."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import handover
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_daemon.core.siblings import Shared
from dispatch_protocol.chain import Chain
from dispatch_protocol.head import Recipient
from dispatch_protocol.keys import DeviceId, Digest, SealingKey, SigningKey
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, Role, SetRolesLink, sign_link
from dispatch_protocol.messages.shared_work import HandoverEntry
from tests.support.desk import received, sent
from tests.support.documents import BOB, HOUR_MS, NOW_MS, fixed, head, task

DESK, LAPTOP, PHONE, WATCH = BOB.sign, *(SigningKey(fixed(name)) for name in ("laptop", "phone", "watch"))


def added(chain: Chain, key: SigningKey, roles: frozenset[Role] = ALL_ROLES) -> Chain:
    sealing = SealingKey(fixed(key.device.hex)).public
    place: dict[str, Any] = {"prev": chain.head, "created_ms": NOW_MS, "nonce": bytes(16)}
    return chain.extend(
        [sign_link(AddDeviceLink(device=key.device, sealing=sealing, roles=roles, **place), (DESK, key))]
    )


def without(chain: Chain, key: SigningKey) -> Chain:
    link = RevokeDeviceLink(prev=chain.head, device=key.device, created_ms=NOW_MS, nonce=bytes(16))
    return chain.extend([sign_link(link, (DESK,))])


THREE = added(added(BOB.chain, LAPTOP), PHONE)
FOUR = added(THREE, WATCH, frozenset({Role.APPROVER}))
SENT_TO_THREE = replace(head(expires_ms=NOW_MS + HOUR_MS), recipient=Recipient(BOB.chain.genesis, THREE.head))
TASK = task(head=SENT_TO_THREE)
RECORD = received(task=TASK)
SHARED = Shared(names={DESK.device.hex: "desk", LAPTOP.device.hex: "laptop"})


def on(key: SigningKey, chain: Chain = FOUR) -> Own:
    return Own(chain, key.device, BOB.email)


def given(turn: int, giver: SigningKey, taker: SigningKey) -> HandoverRecord:
    return HandoverRecord(
        digest=RECORD.digest,
        turn=turn,
        giver=giver.device.hex,
        taker=taker.device.hex,
        handed_ms=NOW_MS,
    )


def taken(*told: HandoverRecord) -> list[HandoverRecord]:
    """Take in what was told, one after the other, and return what is known then."""
    known: dict[tuple[int, str], HandoverRecord] = {}
    for each in told:
        entry, giver = handover.told(each), DeviceId.from_hex(each.giver)
        for effect in handover.taken(entry, giver, list(known.values())):
            assert isinstance(effect, Put)
            assert isinstance(effect.record, HandoverRecord)
            known[effect.record.turn, effect.record.giver] = effect.record
    return list(known.values())


def code(raised: pytest.ExceptionInfo[ServiceError]) -> str:
    return raised.value.code


ROUND = (given(1, DESK, LAPTOP), given(2, LAPTOP, PHONE), given(3, PHONE, DESK))


@pytest.mark.parametrize("order", list(itertools.permutations((*ROUND, ROUND[0]))))
def test_the_last_who_was_given_it_has_it_whatever_came_first_or_twice(
    order: tuple[HandoverRecord, ...],
) -> None:
    known = taken(*order)
    assert handover.owner(TASK, known, on(PHONE)) == DESK.device
    assert len(known) == 3


@pytest.mark.parametrize(
    ("told", "has"),
    [
        ([], DESK),
        ([ROUND[0]], LAPTOP),
        ([ROUND[1]], DESK),  # the one before it has not come: then nobody else has it
        ([given(1, LAPTOP, LAPTOP)], DESK),  # who does not have it cannot take it
        ([ROUND[0], given(2, PHONE, PHONE)], LAPTOP),
        ([ROUND[0], given(1, PHONE, PHONE), given(2, DESK, PHONE)], LAPTOP),
    ],
)
def test_only_who_has_it_gives_it(told: list[HandoverRecord], has: SigningKey) -> None:
    assert handover.owner(TASK, taken(*told), on(DESK)) == has.device


def test_of_two_takers_in_one_turn_everybody_names_the_same() -> None:
    one, two = given(1, DESK, LAPTOP), given(1, DESK, PHONE)
    (first,), (second,) = taken(one, two), taken(two, one)
    assert first == second


def test_who_has_left_is_succeeded_by_the_owner() -> None:
    assert handover.owner(TASK, [ROUND[0]], on(PHONE, without(FOUR, LAPTOP))) == DESK.device
    stranger = SigningKey(fixed("stranger"))
    assert handover.owner(TASK, [given(1, DESK, stranger)], on(PHONE)) == stranger.device


# -- whose holder has left ---------------------------------------------------------------------------------


def gone(*left: SigningKey, chain: Chain = FOUR) -> Chain:
    """Return Bob's chain after these have left it, by a word of the laptop's."""
    for key in left:
        link = RevokeDeviceLink(prev=chain.head, device=key.device, created_ms=NOW_MS, nonce=bytes(16))
        chain = chain.extend([sign_link(link, (LAPTOP,))])
    return chain


TABLET = SigningKey(fixed("tablet"))
FIVE = added(FOUR, TABLET)  # a runner too, but the task was not sealed for it


def test_while_its_holder_is_here_nobody_else_may_have_it() -> None:
    assert handover.may_have_it(TASK, [], on(LAPTOP)) == []
    assert handover.may_have_it(TASK, [ROUND[0]], on(DESK)) == []
    assert handover.is_certain_owner(TASK, [], on(DESK))
    assert not handover.is_certain_owner(TASK, [], on(LAPTOP))


def test_whoever_it_was_sealed_for_and_could_run_it_may_have_been_given_it() -> None:
    chain = gone(DESK, chain=FIVE)
    assert handover.may_have_it(TASK, [], on(LAPTOP, chain)) == [PHONE.device]
    assert handover.may_have_it(TASK, [], on(PHONE, chain)) == [LAPTOP.device]
    assert not handover.is_certain_owner(TASK, [], on(LAPTOP, chain))
    assert handover.is_certain_owner(TASK, [], on(LAPTOP, gone(DESK, PHONE)))
    # What it was given and gave on is known as far as it was told: the last who is known to have had it counts.
    assert handover.may_have_it(TASK, [ROUND[0]], on(LAPTOP, chain)) == []
    assert handover.may_have_it(TASK, ROUND, on(LAPTOP, chain)) == [PHONE.device]


def test_who_runs_nothing_any_more_may_have_been_given_it_when_it_did() -> None:
    chain = gone(DESK)
    link = SetRolesLink(
        prev=chain.head,
        device=PHONE.device,
        roles=frozenset({Role.APPROVER}),
        created_ms=NOW_MS,
        nonce=bytes(16),
    )
    chain = chain.extend([sign_link(link, (LAPTOP,))])
    assert handover.may_have_it(TASK, [], on(LAPTOP, chain)) == [PHONE.device]


def test_where_its_chain_is_void_everybody_who_could_run_it_may_have_it() -> None:
    voided = replace(TASK, head=replace(TASK.head, recipient=Recipient(BOB.chain.genesis, Digest(bytes(32)))))
    found = handover.may_have_it(voided, [], on(LAPTOP, gone(DESK, chain=FIVE)))
    assert sorted(found) == sorted([PHONE.device, TABLET.device])


def test_who_succeeds_in_doubt_needs_a_humans_word() -> None:
    shared = Shared(names={PHONE.device.hex: "phone"})
    chain = gone(DESK)
    with pytest.raises(ServiceError) as raised:
        handover.require_owner(RECORD, shared, on(LAPTOP, chain), here=False)
    assert code(raised) == "not_owner"
    assert "may have given it to phone before" in str(raised.value)
    assert str(raised.value.hint).endswith(f"dispatch accept {RECORD.dispatch_id[:8]} --here")
    handover.require_owner(RECORD, shared, on(LAPTOP, chain), here=True)
    shown = handover.view(RECORD, shared, on(LAPTOP, chain))
    assert shown is not None
    assert (shown["this"], shown["perhaps"]) == (True, [{"device": PHONE.device.hex, "name": "phone"}])
    elsewhere = handover.view(RECORD, shared, on(PHONE, chain))
    assert elsewhere is not None
    assert (elsewhere["device"], elsewhere["perhaps"]) == (LAPTOP.device.hex, [])


# -- accepting -------------------------------------------------------------------------------------------


def test_the_owner_may_and_another_one_only_by_a_humans_word() -> None:
    handover.require_owner(RECORD, SHARED, on(DESK), here=False)
    with pytest.raises(ServiceError) as raised:
        handover.require_owner(RECORD, SHARED, on(LAPTOP), here=False)
    assert code(raised) == "not_owner"
    assert str(raised.value.hint).endswith(f"dispatch accept {RECORD.dispatch_id[:8]} --here")
    assert "desk" in str(raised.value.hint)
    handover.require_owner(RECORD, SHARED, on(LAPTOP), here=True)


def test_who_gave_it_away_has_it_no_more() -> None:
    with pytest.raises(ServiceError) as raised:
        handover.require_owner(RECORD, replace(SHARED, handovers=(ROUND[0],)), on(DESK), here=False)
    assert code(raised) == "not_owner"
    handover.require_owner(RECORD, replace(SHARED, handovers=(ROUND[0],)), on(LAPTOP), here=False)


def test_a_device_that_runs_nothing_runs_nothing_by_anybodys_word() -> None:
    with pytest.raises(ServiceError) as raised:
        handover.require_owner(RECORD, SHARED, on(WATCH), here=True)
    assert code(raised) == "not_runner"


# -- handing over ----------------------------------------------------------------------------------------


def hand(
    taker: SigningKey, by: SigningKey = DESK, *known: HandoverRecord, record: DispatchRecord = RECORD
) -> list[Effect]:
    return handover.hand(record, replace(SHARED, handovers=known), on(by), taker.device, NOW_MS)


def test_each_turn_follows_the_one_before() -> None:
    assert hand(LAPTOP) == [Put(ROUND[0])]
    assert hand(PHONE, LAPTOP, ROUND[0]) == [Put(ROUND[1])]
    assert handover.told(ROUND[1]) == HandoverEntry(
        dispatch=Digest.from_hex(RECORD.digest), turn=2, to=PHONE.device, handed_ms=NOW_MS
    )


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ((PHONE, LAPTOP), "not_owner"),
        ((PHONE, DESK, ROUND[0]), "not_owner"),
        ((DESK,), "invalid"),
        ((WATCH,), "not_runner"),
    ],
)
def test_what_cannot_be_handed_over_is_refused(arguments: Any, refusal: str) -> None:
    with pytest.raises(ServiceError) as raised:
        hand(*arguments)
    assert code(raised) == refusal


@pytest.mark.parametrize("known", [BOB.chain.head, Digest(fixed("a head of nobody's"))])
def test_a_device_that_was_not_sent_it_cannot_have_it(known: Digest) -> None:
    early = task(head=replace(SENT_TO_THREE, recipient=Recipient(BOB.chain.genesis, known)))
    with pytest.raises(ServiceError) as raised:
        hand(LAPTOP, record=received(task=early))
    assert code(raised) == "not_held"


def test_ones_own_jobs_are_held_by_nobody_else() -> None:
    with pytest.raises(ServiceError) as raised:
        hand(LAPTOP, record=replace(RECORD, box=Box.OWN))
    assert code(raised) == "not_owner"


# -- showing ---------------------------------------------------------------------------------------------


def test_who_is_to_run_it_is_shown_by_name() -> None:
    assert handover.view(RECORD, SHARED, on(LAPTOP)) == {
        "device": DESK.device.hex,
        "name": "desk",
        "this": False,
        "perhaps": [],
    }
    assert handover.view(sent(), SHARED, on(LAPTOP)) is None


def test_an_author_who_names_no_device_names_the_owner() -> None:
    assert handover.chosen(FOUR, None, BOB.email) == DESK.device
    assert handover.chosen(FOUR, f" {LAPTOP.device.hex[:4].upper()}", BOB.email) == LAPTOP.device


@pytest.mark.parametrize(
    ("chain", "wanted", "code"),
    [
        (FOUR, LAPTOP.device.hex[:3], "not_found"),
        (FOUR, "", "not_found"),
        (without(THREE, LAPTOP), LAPTOP.device.hex, "not_found"),
        (FOUR, WATCH.device.hex, "not_runner"),
    ],
)
def test_a_device_that_could_not_run_it_is_named_in_vain(chain: Chain, wanted: str, code: str) -> None:
    with pytest.raises(ServiceError) as raised:
        handover.chosen(chain, wanted, BOB.email)
    assert raised.value.code == code


def test_a_beginning_that_two_devices_share_lists_both() -> None:
    twin = SigningKey(fixed("twin 98917"))  # the first of its row that begins as the laptop does
    both = added(THREE, twin)
    with pytest.raises(ServiceError) as raised:
        handover.chosen(both, LAPTOP.device.hex[:4], BOB.email)
    assert raised.value.code == "ambiguous"
    assert set(raised.value.candidates) == {LAPTOP.device.hex, twin.device.hex}
