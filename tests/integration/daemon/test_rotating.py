"""A device replaces its sealing key: alone, beside another device that is faster, and over lives that end in between."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatch_daemon.adapters.keychain import Keychain
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.relay import RelayUnreachableError
from dispatch_daemon.app.clock import wall_ms
from dispatch_daemon.app.own_chain import CHAIN, FORKED, UNFED, OwnChain
from dispatch_daemon.core.effects import TaskKind
from dispatch_protocol.links import ALL_ROLES, RevokeDeviceLink, Role, SetRolesLink, sign_link
from dispatch_protocol.messages.household import Log
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import Signed
from tests.support.ageing_device import DAY_MS, AgeingDevice, Death, Notary
from tests.support.keychains import MemoryKeychain


@pytest.fixture(params=["file", "keychain"])
def device(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[AgeingDevice]:
    """A device that was born just now, with its keys in a file or in a keychain."""
    keychain = Keychain(MemoryKeychain())
    made = AgeingDevice(tmp_path, None if request.param == "file" else lambda: keychain)
    yield made
    made.close()


def relay_of(device: AgeingDevice) -> Notary:
    assert device.relay is not None
    return device.relay


async def test_key_is_replaced_at_thirty_days_and_the_old_one_destroyed_eight_days_later(
    device: AgeingDevice,
) -> None:
    (first,) = device.held
    device.after_days(29.9)
    await device.look()
    assert device.held == [first]

    device.after_days(30.1)
    await device.look()
    second, old = device.held
    assert (device.stated, old) == (second, first)
    assert relay_of(device).chain.head == device.chain.head

    device.after_days(38)
    await device.look()
    assert len(device.held) == 2
    device.after_days(38.2)
    device.relay = None  # nobody has to be reached for this
    await device.look()
    assert device.held == [second]


async def test_next_look_is_planned_and_one_that_needs_a_relay_waits_for_a_session(
    device: AgeingDevice,
) -> None:
    def planned() -> int:
        task = device.journal.tasks.get(TaskKind.ROTATE, "sealing")
        assert task is not None
        assert task.state == "due"
        return task.not_before_ms

    born = device.chain.devices[device.people.own.device].sealed_ms
    await device.look()
    assert planned() == born + 30 * DAY_MS
    device.after_days(40)
    relay, device.relay = device.relay, None
    await device.look()
    assert 0 < planned() - device.clock.wall_ms() <= 3_600_000
    assert len(device.held) == 1, "a key that nobody can be told of is not made"
    device.relay = relay
    await device.look()
    assert planned() - device.clock.wall_ms() > 7 * DAY_MS


def before_call(device: AgeingDevice) -> None:
    def fatal(op: str) -> None:
        if op == "links":
            raise Death

    relay_of(device).before = fatal


def after_call(device: AgeingDevice) -> None:
    def fatal(op: str) -> None:
        if op == "links":
            raise Death

    relay_of(device).after = fatal


def before_kept(device: AgeingDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    async def grow(self: OwnChain, chain: object) -> None:
        raise Death

    monkeypatch.setattr(OwnChain, "grow", grow)


def around_store(before: bool) -> Callable[[AgeingDevice, pytest.MonkeyPatch], None]:
    def plant(device: AgeingDevice, monkeypatch: pytest.MonkeyPatch) -> None:
        honest = Keystore.store

        def store(self: Keystore, keys: object) -> None:
            if not before:
                honest(self, keys)  # type: ignore[arg-type]  # planted
            raise Death

        monkeypatch.setattr(Keystore, "store", store)

    return plant


PLACES: dict[str, Callable[..., None]] = {
    "the key is not kept": around_store(before=True),
    "the key is kept and not told": around_store(before=False),
    "the relay has not heard": lambda device, _: before_call(device),
    "the relay has not answered": lambda device, _: after_call(device),
    "the chain is not kept": before_kept,
}


@pytest.mark.parametrize("place", PLACES)
async def test_life_that_ends_in_between_leaves_the_next_one_to_go_on(
    device: AgeingDevice, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (first,) = device.held
    device.after_days(31)
    with monkeypatch.context() as planted:
        PLACES[place](device, planted)
        with pytest.raises(Death):
            await device.look()
    relay_of(device).before = relay_of(device).after = lambda _: None
    device.die()
    await device.look()
    await device.tell_owed()
    second, old = device.held
    assert (device.stated, old) == (second, first)
    assert relay_of(device).chain.head == device.chain.head
    assert len(device.chain.links) == 2, "one link, however often it was told"

    # And where the old key is destroyed: on one side or on the other, and then it is.
    device.after_days(40)
    with monkeypatch.context() as planted:
        if "key is" in place:
            PLACES[place](device, planted)
            with pytest.raises(Death):
                await device.look()
    device.die()
    await device.look()
    assert device.held == [second]


async def test_other_device_that_comes_first_makes_no_second_history(device: AgeingDevice) -> None:
    await device.pair()
    device.after_days(31)
    relay = relay_of(device)
    told = []

    def first(op: str) -> None:
        if op == "links" and not told:
            told.append(op)
            relay.chain = device.other_rotates(relay.chain)

    relay.before = first
    await device.look()
    assert told
    assert device.stated == device.held[0]
    assert (len(device.chain.links), relay.chain.head) == (4, device.chain.head)
    assert device.journal.meta(FORKED) is None


async def test_relay_that_takes_a_link_and_denies_it_is_told_the_same_one_again(device: AgeingDevice) -> None:
    """Or it would have two histories of one device to show, and every contact that saw both would stop."""
    device.after_days(31)
    relay, before = relay_of(device), device.chain
    taken = []

    def deny(op: str) -> None:
        if op == "links":
            taken.append(relay.chain)
            relay.chain = before
            raise RelayUnreachableError("the line broke")

    relay.after = deny
    for _ in range(2):
        await device.look()
        device.die()
        await device.tell_owed()
    assert len(taken) >= 2
    assert len({chain.head for chain in taken}) == 1


async def test_recovery_key_that_was_shown_is_not_brought_back(device: AgeingDevice) -> None:
    device.keystore.erase_recovery()
    device.after_days(31)
    await device.look()
    keys = device.keystore.load()
    assert keys is not None
    assert (keys.recovery, len(keys.sealing)) == (None, 2)


async def test_keystore_that_fails_is_tried_again(
    device: AgeingDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.after_days(31)
    (device.home / "device").rename(device.home / "elsewhere")
    (device.home / "device").write_text("nonsense\n")
    (device.home / "device").chmod(0o600)
    await device.look()
    task = device.journal.tasks.get(TaskKind.ROTATE, "sealing")
    assert task is not None
    assert task.state == "due"
    (device.home / "elsewhere").rename(device.home / "device")
    await device.look()
    assert len(device.held) == 2


async def test_device_that_has_left_the_chain_looks_at_no_key_again(device: AgeingDevice) -> None:
    await device.pair()
    own = device.people.own
    chain = device.says(device.chain, RevokeDeviceLink(device=own.device, **device.place(device.chain)))
    device.people.grown(chain)
    device.after_days(31)
    await device.look()
    assert device.journal.tasks.get(TaskKind.ROTATE, "sealing") is None
    assert len(device.held) == 1


# -- what two devices say at one head, of whatever kind ------------------------------------------------


async def stated_alone(device: AgeingDevice) -> None:
    """Let this device take the other one's right to change the chain, while the relay is away."""
    link = SetRolesLink(
        device=device.other.device, roles=frozenset({Role.RUNNER}), **device.place(device.chain)
    )
    await device.own_chain.grow(device.says(device.chain, link))


async def test_what_was_said_offline_goes_behind_what_the_other_device_told_the_relay(
    device: AgeingDevice,
) -> None:
    await device.pair()
    theirs = device.other_rotates(device.chain)
    await stated_alone(device)
    assert await device.own_chain.take(theirs.links)
    assert device.chain.heads[:3] == theirs.heads
    assert device.chain.devices[device.other.device].roles == {Role.RUNNER}
    owed = device.journal.tasks.get(TaskKind.RELAY_CALL, "links")
    assert owed is not None
    assert str(device.chain.links[-1].to_json()["payload"]) in str(owed.payload)
    assert device.journal.meta(FORKED) is None
    device.die()
    assert device.chain.heads[:3] == theirs.heads


async def test_what_the_relay_has_confirmed_is_not_moved(device: AgeingDevice) -> None:
    await device.pair()
    theirs = device.other_rotates(device.chain)
    await stated_alone(device)
    before = device.chain
    await device.own_chain.take(before.links)  # the relay tells it back
    assert not await device.own_chain.take(theirs.links)
    assert (device.chain.head, device.journal.meta(FORKED)) == (before.head, True)


async def test_revocation_goes_behind_a_key_of_the_one_that_it_ends_and_behind_nothing_else(
    device: AgeingDevice,
) -> None:
    await device.pair()
    key, roles = device.other_rotates(device.chain), device.other_states_roles(device.chain)
    link = RevokeDeviceLink(device=device.other.device, **device.place(device.chain))
    await device.own_chain.grow(device.says(device.chain, link))
    alone = device.chain
    assert not await device.own_chain.take(roles.links)
    assert (device.chain.head, device.journal.meta(FORKED)) == (alone.head, True)
    assert await device.own_chain.take(key.links)
    assert device.other.device not in device.chain.devices
    assert len(device.chain.links) == 4


async def test_what_goes_behind_nothing_stays_two_histories(device: AgeingDevice) -> None:
    """The other one has ended this device at the same head, so nothing that it says follows."""
    await device.pair()
    chain = device.other_rotates(device.chain)
    ended = RevokeDeviceLink(device=device.people.own.device, **device.place(device.chain))
    chain = device.chain.extend([sign_link(ended, (device.other,))])
    link = SetRolesLink(device=device.other.device, roles=ALL_ROLES, **device.place(device.chain))
    await device.own_chain.grow(device.says(device.chain, link))
    before = device.chain
    assert not await device.own_chain.take(chain.links)
    assert (device.chain.head, device.journal.meta(FORKED)) == (before.head, True)


async def test_device_that_was_away_for_long_is_fed_anew(device: AgeingDevice) -> None:
    await device.pair()
    device.own_chain.on_recovered = device.household.feed_recovered
    soon = device.other_rotates(device.chain, "soon", wall_ms() + 31 * DAY_MS)
    await device.own_chain.take(soon.links)
    assert device.journal.meta(UNFED) is not True
    assert not owed_feeds(device)
    late = device.other_rotates(soon, "late", wall_ms() + 31 * DAY_MS + 61 * DAY_MS)
    await device.own_chain.take(late.links)
    assert owed_feeds(device) == 1
    assert device.journal.meta(UNFED) is False
    assert device.journal.meta(CHAIN) is not None


def owed_feeds(device: AgeingDevice) -> int:
    """Count the documents that give everything to a device which follows no log."""
    rows = device.journal.database.read("SELECT signed FROM outbox")
    logs = [decode_body(Kind.LOG, Signed.decode(signed).body) for (signed,) in rows]
    return sum(isinstance(log, Log) and log.seq == 0 for log in logs)
