"""What one's other devices did is told once, taken in in any order, and looked at before anything is decided here."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import siblings
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.shared_records import DeedRecord
from dispatch_daemon.core.siblings import ALONE, Shared
from dispatch_protocol.keys import DeviceId, SealingKey, SigningKey
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState, Status
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, Role, sign_link
from dispatch_protocol.messages.shared_work import Deed, DeedEntry
from tests.support.desk import BOB_OWN, own_job, received, run, sent
from tests.support.documents import BOB, NOW_MS, fixed, person

LAPTOP = person("bob's laptop").device
DELIVERED = received()
ACCEPTED = DeedRecord(
    digest=DELIVERED.digest,
    device=LAPTOP.hex,
    deed=Deed.ACCEPTED,
    done_ms=NOW_MS,
    run_id=run().run_id,
)
DONE = replace(ACCEPTED, deed=Deed.FINISHED, outcome=Outcome.SUCCESS, done_ms=NOW_MS + 1)
DECLINED = replace(ACCEPTED, deed=Deed.DECLINED, run_id=None)


def shared(*deeds: DeedRecord, active: bool = True) -> Shared:
    here = frozenset({LAPTOP.hex} if active else ())
    return Shared(deeds=deeds, active=here, names={LAPTOP.hex: "LAPTOP"})


def told(after: DispatchRecord, before: DispatchRecord | None = DELIVERED) -> DeedEntry | None:
    return siblings.told(after, before, run(), BOB_OWN, NOW_MS)


# -- telling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "deed", "runs"),
    [
        (DispatchState.ACCEPTED, Deed.ACCEPTED, True),
        (DispatchState.FINISHED, Deed.FINISHED, True),
        (DispatchState.DECLINED, Deed.DECLINED, False),
        (DispatchState.CANCELLED, Deed.CANCELLED, False),
        (DispatchState.REFUSED, Deed.REFUSED, False),
    ],
)
def test_every_deed_is_told_with_its_run_where_there_is_one(
    state: DispatchState, deed: Deed, runs: bool
) -> None:
    entry = told(received(state, outcome=Outcome.FAILED))
    assert entry is not None
    assert (entry.deed, entry.device, entry.done_ms) == (deed, BOB.device, NOW_MS)
    assert (entry.run_id is not None) is runs
    assert entry.outcome == (Outcome.FAILED if deed is Deed.FINISHED else None)


@pytest.mark.parametrize(
    ("after", "before"),
    [
        (received(DispatchState.ACCEPTED), received(DispatchState.ACCEPTED)),  # a heartbeat, say
        (received(DispatchState.ACCEPTED), received(DispatchState.WAITING_INPUT)),
        (received(DispatchState.REFUSED), None),  # as it arrived: each device judges that alone
        (received(DispatchState.EXPIRED), DELIVERED),
        (received(), DELIVERED),
        (sent(DispatchState.ACCEPTED), sent()),
        (own_job(state=DispatchState.ACCEPTED), own_job()),
    ],
)
def test_what_changes_nothing_for_the_others_is_not_told(
    after: DispatchRecord, before: DispatchRecord | None
) -> None:
    assert told(after, before) is None


# -- taking in -------------------------------------------------------------------------------------------


def entry_of(record: DeedRecord) -> DeedEntry:
    entry = siblings.told(
        received(DispatchState(record.deed.value), outcome=record.outcome), DELIVERED, run(), BOB_OWN, 0
    )
    assert entry is not None
    return replace(entry, device=LAPTOP, done_ms=record.done_ms)


@pytest.mark.parametrize("record", [ACCEPTED, DONE, DECLINED])
def test_a_deed_is_kept_as_it_was_told(record: DeedRecord) -> None:
    assert siblings.taken(entry_of(record), None) == [Put(record)]
    assert siblings.taken(entry_of(record), record) == []


def test_an_end_stays_in_whatever_order_it_comes() -> None:
    assert siblings.taken(entry_of(DONE), ACCEPTED) == [Put(DONE)]
    assert siblings.taken(entry_of(ACCEPTED), DONE) == []
    assert siblings.taken(entry_of(DECLINED), DONE) == []


def after_the_laptop_left(*, roles: frozenset[Role] = ALL_ROLES) -> tuple[Own, DeviceId]:
    """Return what Bob's device knows once his laptop has come and gone, and another device of his."""
    chain, phone = BOB.chain, SigningKey(fixed("phone"))
    for key, held in ((SigningKey(fixed("bob's laptop")), ALL_ROLES), (phone, roles)):
        seal = SealingKey(fixed(key.device.hex)).public
        link = AddDeviceLink(
            prev=chain.head, device=key.device, sealing=seal, roles=held, created_ms=1, nonce=bytes(16)
        )
        chain = chain.extend([sign_link(link, (BOB.sign, key))])
        if key is not phone:
            gone = RevokeDeviceLink(prev=chain.head, device=key.device, created_ms=1, nonce=bytes(16))
            chain = chain.extend([sign_link(gone, (BOB.sign,))])
    return replace(BOB_OWN, chain=chain), phone.device


def left_with(own: Own) -> DeviceId:
    return next(device for state in own.chain.states for device in state if device not in own.chain.devices)


def test_how_a_device_ended_something_before_it_left_is_told_on_by_an_approver() -> None:
    own, phone = after_the_laptop_left()
    gone = left_with(own)
    deeds = [replace(each, device=gone.hex) for each in (ACCEPTED, DONE, DECLINED)]
    entries = siblings.told_on([*deeds, replace(DONE, device=BOB.device.hex)], own)
    assert [entry.deed for entry in entries] == [Deed.FINISHED, Deed.DECLINED]
    assert siblings.taken(entries[0], None) == [Put(deeds[1])]
    assert all(siblings.may_tell_on(entry, phone, own) for entry in entries)
    done = entries[0]
    assert not siblings.may_tell_on(replace(done, deed=Deed.ACCEPTED), phone, own), "that is free again"
    assert not siblings.may_tell_on(replace(done, device=BOB.device), phone, own), "who is here says it"
    assert not siblings.may_tell_on(replace(done, device=LAPTOP), phone, own), (
        "who was never here has done nothing"
    )
    runner, watch = after_the_laptop_left(roles=frozenset({Role.RUNNER}))
    assert not siblings.may_tell_on(done, watch, runner), "it decides nothing"


# -- what follows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "known", "deed"),
    [
        (DELIVERED, ALONE, None),
        (DELIVERED, shared(ACCEPTED), ACCEPTED),
        (DELIVERED, shared(DECLINED), DECLINED),
        (DELIVERED, shared(DECLINED, replace(ACCEPTED, device="ab" * 32, deed=Deed.FINISHED)), None),
        (DELIVERED, shared(ACCEPTED, active=False), None),
        (DELIVERED, shared(DONE, active=False), DONE),
        (received(DispatchState.EXPIRED), shared(ACCEPTED), ACCEPTED),
        (received(DispatchState.EXPIRED), shared(DECLINED), None),
        (received(DispatchState.DECLINED), shared(ACCEPTED), None),
        (received(DispatchState.ACCEPTED, accepted_decisions=1), shared(ACCEPTED), None),
        (sent(), shared(ACCEPTED), None),
    ],
)
def test_what_another_device_decided_counts_where_nobody_decided_here(
    record: DispatchRecord, known: Shared, deed: DeedRecord | None
) -> None:
    found = siblings.settled(record, known)
    if len(known.deeds) == 2:  # whoever runs it says more than whoever does not
        assert found == known.deeds[1]
        return
    assert found == deed
    if deed is None:
        siblings.require_here(record, known)
        assert siblings.view(record, known) is None
        return
    with pytest.raises(ServiceError) as raised:
        siblings.require_here(record, known)
    assert raised.value.code == "decided_elsewhere"
    assert "LAPTOP" in str(raised.value)


@pytest.mark.parametrize(
    ("record", "runs", "known", "word"),
    [
        (DELIVERED, [], ALONE, Status.DELIVERED),
        (DELIVERED, [], shared(ACCEPTED), Status.ACCEPTED),
        (DELIVERED, [], shared(DONE), Status.COMPLETED),
        (DELIVERED, [], shared(replace(DONE, outcome=Outcome.BLOCKED)), Status.FAILED),
        (DELIVERED, [], shared(replace(DONE, outcome=None)), Status.CANCELLED),
        (DELIVERED, [], shared(DECLINED), Status.DECLINED),
        (received(DispatchState.ACCEPTED, accepted_decisions=1), [run()], shared(ACCEPTED), Status.CONFLICT),
        (received(DispatchState.ACCEPTED, accepted_decisions=1), [run()], shared(DECLINED), Status.CONFLICT),
        (received(DispatchState.DECLINED), [], shared(ACCEPTED), Status.CONFLICT),
        (received(DispatchState.DECLINED), [], shared(DECLINED), Status.DECLINED),
        (DELIVERED, [], shared(DECLINED, replace(DONE, device="ab" * 32)), Status.CONFLICT),
        (sent(DispatchState.DECLINED, declined_decisions=1), [], ALONE, Status.DECLINED),
        (
            sent(DispatchState.DECLINED, declined_decisions=1, accepted_decisions=1),
            [],
            ALONE,
            Status.CONFLICT,
        ),
        (
            received(DispatchState.FINISHED, accepted_decisions=1),
            [run(RunState.COMPLETED)],
            shared(DONE),
            Status.CONFLICT,
        ),
        (DELIVERED, [], shared(DONE, replace(DONE, device="ab" * 32)), Status.CONFLICT),
    ],
)
def test_a_dispatch_is_shown_as_it_stands_wherever_it_is_decided(
    record: DispatchRecord, runs: list[Any], known: Shared, word: Status
) -> None:
    assert siblings.status_word(record, runs, known) is word


def test_how_it_ended_is_known_wherever_it_ran() -> None:
    assert siblings.outcome(DELIVERED, shared(DONE)) is Outcome.SUCCESS
    assert siblings.outcome(received(DispatchState.FINISHED, outcome=Outcome.FAILED), ALONE) is Outcome.FAILED


def test_where_else_it_was_decided_is_named() -> None:
    assert siblings.view(DELIVERED, shared(DONE)) == {
        "device": LAPTOP.hex,
        "name": "LAPTOP",
        "status": "completed",
        "at": "2026-01-02T03:04:05.679Z",
    }
    nameless = replace(shared(ACCEPTED), names={})
    assert siblings.view(DELIVERED, nameless) == {
        "device": LAPTOP.hex,
        "name": LAPTOP.hex[:8],
        "status": "accepted",
        "at": "2026-01-02T03:04:05.678Z",
    }


def test_device_is_shown_by_its_id_and_the_name_that_is_known() -> None:
    device = LAPTOP.hex
    assert siblings.device_view(device, ALONE) == {"device": device, "name": None}
    assert siblings.device_view(device, Shared(names={device: "laptop"})) == {
        "device": device,
        "name": "laptop",
    }
