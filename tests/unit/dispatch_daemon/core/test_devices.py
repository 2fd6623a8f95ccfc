"""One's own devices: how they are listed and found, and which links this one may make about them."""

import pytest

from dispatch_daemon.core import devices
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import dumps
from dispatch_protocol.keys import DeviceId, SealingKey, SigningKey
from dispatch_protocol.limits import CHAIN_BYTES
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    RecoverLink,
    Role,
    RotateSealingLink,
    SetRolesLink,
    sign_link,
)
from dispatch_protocol.timestamps import format_time
from tests.support.documents import ALICE, NOW_MS, fixed

LAPTOP, PHONE, TABLET = ALICE.sign, SigningKey(fixed("phone")), SigningKey(fixed("tablet"))
RUNNER = frozenset({Role.RUNNER})
NAMES = {LAPTOP.device.hex: ("laptop", 1), PHONE.device.hex: ("Phone", 1)}


def added(chain: Chain, key: SigningKey, roles: frozenset[Role] = ALL_ROLES) -> Chain:
    link = AddDeviceLink(
        prev=chain.head,
        device=key.device,
        sealing=SealingKey(fixed(key.device.hex)).public,
        roles=roles,
        created_ms=NOW_MS + 1,
        nonce=bytes(16),
    )
    return chain.extend([sign_link(link, (LAPTOP, key))])


BOTH = added(ALICE.chain, PHONE)


def code(call, *arguments, **more) -> str:
    with pytest.raises(ServiceError) as raised:
        call(*arguments, **more)
    return raised.value.code


def test_devices_are_listed_in_the_order_in_which_they_joined():
    laptop, phone = devices.listed(BOTH, LAPTOP.device, NAMES, {PHONE.device.hex: NOW_MS})
    assert (laptop["name"], laptop["this"], laptop["owner"], laptop["last_seen"]) == (
        "laptop",
        True,
        True,
        None,
    )
    assert phone == {
        "id": PHONE.device.hex,
        "name": "Phone",
        "roles": ["approver", "runner"],
        "owner": False,
        "this": False,
        "since": format_time(NOW_MS + 1),
        "key_since": format_time(NOW_MS + 1),
        "last_seen": format_time(NOW_MS),
    }
    (_, unheard) = devices.listed(BOTH, LAPTOP.device, {}, {})
    assert (unheard["last_seen"], unheard["name"]) == (None, PHONE.device.hex[:8])


def test_two_that_are_called_the_same_are_told_apart_and_asked_about():
    same = {LAPTOP.device.hex: ("vm", 1), PHONE.device.hex: ("VM", 2), TABLET.device.hex: ("vm", 1)}
    shown = [each["name"] for each in devices.listed(BOTH, LAPTOP.device, same, {})]
    assert shown == [f"vm ({LAPTOP.device.hex[:8]})", f"VM ({PHONE.device.hex[:8]})"]
    with pytest.raises(ServiceError) as raised:
        devices.find(BOTH, same, "vm")
    assert raised.value.code == "ambiguous"
    assert raised.value.hint == "dispatch devices rename ID NAME"
    assert all(each.hex[:16] in str(raised.value.candidates) for each in (LAPTOP.device, PHONE.device))
    assert devices.find(BOTH, same, str(shown[1])) == PHONE.device


def test_one_that_has_left_leaves_its_name_to_the_others_and_is_told_from_them():
    same = {LAPTOP.device.hex: ("vm", 1), TABLET.device.hex: ("vm", 1), PHONE.device.hex: ("phone", 1)}
    told = devices.told_apart(same, {LAPTOP.device.hex, PHONE.device.hex})
    assert {device: name for device, (name, _) in told.items()} == {
        LAPTOP.device.hex: "vm",
        TABLET.device.hex: f"vm ({TABLET.device.hex[:8]})",
        PHONE.device.hex: "phone",
    }


def test_a_recovery_brings_a_device_and_one_that_has_left_is_not_listed():
    link = RecoverLink(
        prev=BOTH.head,
        epoch=1,
        survivors=frozenset(),
        device=(TABLET.device, SealingKey(fixed("t")).public),
        created_ms=NOW_MS + 2,
        nonce=bytes(16),
    )
    chain = BOTH.extend([sign_link(link, (ALICE.recovery, TABLET))])
    rotate = RotateSealingLink(
        prev=chain.head,
        device=TABLET.device,
        sealing=SealingKey(fixed("u")).public,
        created_ms=NOW_MS + 3,
        nonce=bytes(16),
    )
    chain = chain.extend([sign_link(rotate, (TABLET,))])
    (only,) = devices.listed(chain, TABLET.device, {}, {})
    assert (only["id"], only["since"]) == (TABLET.device.hex, format_time(NOW_MS + 2))


def test_a_device_is_found_by_its_name_or_the_beginning_of_its_id():
    for wanted in ("phone", " PHONE ", PHONE.device.hex, PHONE.device.hex[:4]):
        assert devices.find(BOTH, NAMES, wanted) == PHONE.device
    assert code(devices.find, BOTH, NAMES, PHONE.device.hex[:3]) == "not_found"
    assert code(devices.find, BOTH, NAMES, "desk") == "not_found"
    same = {LAPTOP.device.hex: ("x", 1), PHONE.device.hex: ("x", 1)}
    assert code(devices.find, BOTH, same, "x") == "ambiguous"


def recovery(chain: Chain, survivors: set[SigningKey], key: SigningKey = TABLET):
    kept = frozenset(each.device for each in survivors)
    seal = SealingKey(fixed(f"new {key.device.hex}")).public
    base, link = devices.recovery(chain, kept, (key.device, seal), now_ms=NOW_MS, nonce=bytes(16))
    return base.extend([sign_link(link, (ALICE.recovery, key))])


def filled(chain: Chain, size_bytes: int) -> Chain:
    """Let a thief state roles until the chain measures so much."""
    links, size = list(chain.links), chain.size_bytes
    while True:
        link = SetRolesLink(
            prev=links[-1].digest,
            device=PHONE.device,
            roles=ALL_ROLES if len(links) % 2 else frozenset({Role.APPROVER}),
            created_ms=NOW_MS,
            nonce=bytes(16),
        )
        links.append(sign_link(link, (PHONE,)))
        size += len(dumps(links[-1].to_json()))
        if size > size_bytes:
            return Chain.verify(links[:-1], expect=chain.genesis)


def test_a_recovery_begins_where_all_who_survive_were_active_and_leaves_room():
    assert recovery(BOTH, set()).devices.keys() == {TABLET.device}
    stolen = BOTH.extend([sign_link(revocation(BOTH, PHONE.device, LAPTOP.device), (PHONE,))])
    back = recovery(stolen, {LAPTOP})
    assert (back.devices.keys(), back.epoch) == ({LAPTOP.device, TABLET.device}, 1)
    assert back.heads[:2] == BOTH.heads  # the phone joined and is out; its theft is void
    alone = recovery(stolen, set())
    assert alone.heads[:3] == stolen.heads
    full, key = filled(stolen, CHAIN_BYTES), SigningKey(fixed("late"))
    for survivors in (set(), {PHONE}):
        short = recovery(full, survivors)
        assert full.update(short.links).head == short.head
        assert abs(short.size_bytes - CHAIN_BYTES // 2) < 2_000
    late = added(filled(BOTH, CHAIN_BYTES * 3 // 4), key)
    assert recovery(late, {key}).heads[:-1] == late.heads
    latest = added(filled(BOTH, CHAIN_BYTES - 1_000), key)
    assert code(recovery, latest, {key}) == "chain_full"
    assert recovery(latest, set()).size_bytes < CHAIN_BYTES
    assert code(recovery, ALICE.chain, {PHONE}) == "not_found"
    assert code(recovery, BOTH, set(), PHONE) == "home_in_use"


def test_a_chain_that_is_almost_full_is_left_for_ending_devices():
    full = filled(BOTH, CHAIN_BYTES - 1_000)
    assert code(devices.require_room, full) == "chain_full"
    assert code(roles, full, LAPTOP.device, PHONE.device, ALL_ROLES) == "chain_full"
    ended = full.extend([sign_link(revocation(full, LAPTOP.device, PHONE.device), (LAPTOP,))])
    assert PHONE.device not in ended.devices
    devices.require_room(BOTH)


def test_a_device_that_ever_was_is_found_by_the_beginning_of_its_id():
    gone = BOTH.extend([sign_link(revocation(BOTH, LAPTOP.device, PHONE.device), (LAPTOP,))])
    assert devices.ever(gone, f" {PHONE.device.hex[:8].upper()} ") == PHONE.device
    assert code(devices.ever, gone, PHONE.device.hex[:3]) == "not_found"
    assert code(devices.ever, gone, "00000000") == "not_found"


def test_two_ids_that_begin_alike_are_ambiguous():
    first = {}
    for number in range(2_000):
        key = SigningKey(fixed(f"many {number}"))
        if (twin := first.setdefault(key.device.hex[:4], key)) is not key:
            chain = added(added(ALICE.chain, key), twin)
            assert code(devices.ever, chain, key.device.hex[:4]) == "ambiguous"
            return
    raise AssertionError("no two of these ids begin alike")


def revocation(chain: Chain, own: DeviceId, device: DeviceId):
    return devices.revocation(chain, own, device, now_ms=NOW_MS, nonce=bytes(16))


def test_a_device_ends_another_or_itself_but_never_the_last_that_may():
    for own, device, signer in (
        (LAPTOP, PHONE, LAPTOP),
        (PHONE, LAPTOP, PHONE),
        (PHONE, PHONE, PHONE),
    ):
        link = revocation(BOTH, own.device, device.device)
        assert device.device not in BOTH.extend([sign_link(link, (signer,))]).devices
    assert code(revocation, ALICE.chain, LAPTOP.device, LAPTOP.device) == "last_signer"
    runner = added(ALICE.chain, PHONE, RUNNER)
    assert code(revocation, runner, LAPTOP.device, LAPTOP.device) == "last_signer"
    three = added(runner, TABLET)
    assert code(revocation, three, PHONE.device, TABLET.device) == "not_approver"
    assert revocation(three, PHONE.device, PHONE.device).device == PHONE.device


def roles(chain: Chain, own: DeviceId, device: DeviceId, stated, owner=False):
    return devices.change_of_roles(chain, own, device, stated, owner=owner, now_ms=NOW_MS, nonce=bytes(16))


def test_roles_are_stated_and_an_owner_runs():
    link = roles(BOTH, LAPTOP.device, PHONE.device, RUNNER)
    assert link.roles == RUNNER
    owner = roles(BOTH, LAPTOP.device, PHONE.device, None, owner=True)
    assert BOTH.extend([sign_link(owner, (LAPTOP,))]).owner == PHONE.device
    idle = added(ALICE.chain, PHONE, frozenset())
    assert roles(idle, LAPTOP.device, PHONE.device, None, owner=True).roles == RUNNER
    approver = frozenset({Role.APPROVER})
    assert code(roles, BOTH, LAPTOP.device, PHONE.device, approver, owner=True) == "invalid"


def test_roles_are_changed_by_an_approver_who_leaves_one():
    runner = added(ALICE.chain, PHONE, RUNNER)
    assert code(roles, runner, PHONE.device, PHONE.device, ALL_ROLES) == "not_approver"
    assert code(roles, runner, LAPTOP.device, LAPTOP.device, RUNNER) == "last_signer"
    assert roles(BOTH, LAPTOP.device, LAPTOP.device, RUNNER).roles == RUNNER


def test_the_owner_stays_who_it_was_where_ownership_was_not_asked_for():
    three = added(BOTH, TABLET)
    assert three.owner == LAPTOP.device
    link = roles(three, LAPTOP.device, PHONE.device, RUNNER)
    assert not devices.states_nothing(three, link, owner=False)
    after = three.extend([sign_link(link, (LAPTOP,))])
    assert after.owner == PHONE.device, "the chain takes whoever was stated last"
    kept = devices.owner_restated(three, after, now_ms=NOW_MS, nonce=bytes(16))
    assert kept is not None
    both = after.extend([sign_link(kept, (LAPTOP,))])
    assert (both.owner, both.devices[PHONE.device].roles) == (LAPTOP.device, RUNNER)
    assert both.devices[LAPTOP.device].roles == ALL_ROLES
    # Who does not run is nobody's owner, and the owner's own roles keep it where it is.
    for device, stated, owner in (
        (PHONE.device, frozenset({Role.APPROVER}), LAPTOP.device),
        (LAPTOP.device, RUNNER, LAPTOP.device),
        (LAPTOP.device, frozenset({Role.APPROVER}), PHONE.device),
    ):
        link = roles(three, LAPTOP.device, device, stated)
        after = three.extend([sign_link(link, (LAPTOP,))])
        assert devices.owner_restated(three, after, now_ms=NOW_MS, nonce=bytes(16)) is None
        assert after.owner == owner


def test_what_is_so_already_is_not_stated():
    for device, stated, owner, nothing in (
        (PHONE.device, ALL_ROLES, False, True),
        (PHONE.device, None, True, False),
        (LAPTOP.device, None, True, False),  # the owner, because it came first; nobody has said so
        (PHONE.device, RUNNER, False, False),
    ):
        link = roles(BOTH, LAPTOP.device, device, stated, owner=owner)
        assert devices.states_nothing(BOTH, link, owner=owner) is nothing
    said = BOTH.extend([sign_link(roles(BOTH, LAPTOP.device, PHONE.device, None, owner=True), (LAPTOP,))])
    again = roles(said, LAPTOP.device, PHONE.device, None, owner=True)
    assert devices.states_nothing(said, again, owner=True)
    assert not devices.states_nothing(said, roles(said, LAPTOP.device, LAPTOP.device, None), owner=True)


def test_the_recovery_key_is_where_the_identity_was_made_until_it_was_used():
    assert devices.recovery_holder(BOTH) == LAPTOP.device
    at_home = devices.no_recovery_key(BOTH, LAPTOP.device, NAMES)
    elsewhere = devices.no_recovery_key(BOTH, PHONE.device, NAMES)
    assert (at_home.code, elsewhere.code) == ("recovery_shown", "recovery_elsewhere")
    assert "laptop made this identity" in elsewhere.detail
    assert elsewhere.hint == "on laptop: dispatch devices recovery-key"
    link = devices.revocation(BOTH, LAPTOP.device, LAPTOP.device, now_ms=NOW_MS, nonce=bytes(16))
    gone = devices.no_recovery_key(BOTH.extend([sign_link(link, (LAPTOP,))]), PHONE.device, NAMES)
    assert (gone.code, "there is none any more" in gone.detail) == ("recovery_shown", True)
    recovered = recovery(BOTH, {PHONE})
    assert devices.recovery_holder(recovered) is None
    assert devices.no_recovery_key(recovered, PHONE.device, NAMES).code == "recovery_shown"
