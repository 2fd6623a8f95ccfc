"""Links that another own device came before: which of them go behind the other's, and which are for a person to judge."""

from typing import Any

from dispatch_daemon.core.own_links import decided, untold
from dispatch_protocol.chain import Chain
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    LaterLink,
    RecoverLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
    SetRolesLink,
    sign_link,
)
from tests.support.documents import ALICE, NOW_MS, fixed

LAPTOP, PHONE, TABLET = ALICE.sign, SigningKey(fixed("phone")), SigningKey(fixed("tablet"))


def place(chain: Chain) -> dict[str, Any]:
    return {"prev": chain.head, "created_ms": NOW_MS, "nonce": bytes(16)}


def with_link(chain: Chain, link: LaterLink, *keys: Any) -> Chain:
    return chain.extend([sign_link(link, keys)])


def added(chain: Chain, key: SigningKey, by: SigningKey = LAPTOP) -> Chain:
    seal = SealingKey(fixed(f"seal of {key.device.hex}")).public
    link = AddDeviceLink(device=key.device, sealing=seal, roles=ALL_ROLES, **place(chain))
    return with_link(chain, link, by, key)


def rotated(chain: Chain, key: SigningKey) -> Chain:
    seal = SealingKey(fixed(f"next seal of {key.device.hex}")).public
    return with_link(chain, RotateSealingLink(device=key.device, sealing=seal, **place(chain)), key)


BOTH = added(ALICE.chain, PHONE)
REVOKED = with_link(BOTH, RevokeDeviceLink(device=PHONE.device, **place(BOTH)), LAPTOP)
ROLES = with_link(
    BOTH, SetRolesLink(device=PHONE.device, roles=frozenset({Role.RUNNER}), **place(BOTH)), LAPTOP
)


def mine(held: Chain, told: Chain, since: Chain | None = BOTH) -> list[str] | None:
    links = untold(held, told.links, LAPTOP.device, None if since is None else since.head)
    return None if links is None else [type(link).__name__ for link in links]


def test_what_only_this_device_has_said_goes_behind_what_another_said_first() -> None:
    told = rotated(BOTH, PHONE)
    assert mine(ROLES, told) == ["SetRolesLink"]
    assert mine(rotated(ROLES, LAPTOP), told) == ["SetRolesLink", "RotateSealingLink"]
    assert mine(REVOKED, told) == ["RevokeDeviceLink"]


def test_what_the_relay_has_confirmed_is_history() -> None:
    told = rotated(BOTH, PHONE)
    assert mine(ROLES, told, since=None) is None
    assert mine(ROLES, told, since=ROLES) is None
    assert mine(ROLES, told, since=told) is None  # a head that this chain does not have
    assert mine(ROLES, rotated(ALICE.chain, LAPTOP)) is None  # they part before what is unconfirmed


def test_what_others_have_signed_too_goes_nowhere() -> None:
    told = rotated(BOTH, PHONE)
    assert mine(added(BOTH, TABLET), told) is None
    assert mine(rotated(BOTH, PHONE), ROLES) is None
    link = RecoverLink(epoch=1, survivors=frozenset({LAPTOP.device}), device=None, **place(BOTH))
    assert mine(with_link(BOTH, link, ALICE.recovery), told) is None


def test_nothing_goes_behind_what_a_device_said_that_it_ends() -> None:
    assert mine(REVOKED, added(BOTH, TABLET, by=PHONE)) is None
    assert mine(ROLES, added(BOTH, TABLET, by=PHONE)) == ["SetRolesLink"]


def test_who_is_let_in_ended_or_given_roles_was_decided_here_and_a_new_key_was_not() -> None:
    assert [(act.kind, act.subject) for act in decided(ALICE.chain, REVOKED)] == [
        ("device_added", PHONE.device.hex),
        ("device_revoked", PHONE.device.hex),
    ]
    assert [(act.kind, act.about) for act in decided(BOTH, rotated(ROLES, LAPTOP))] == [
        ("roles_set", ROLES.head.hex)
    ]
    assert decided(BOTH, BOTH) == []
