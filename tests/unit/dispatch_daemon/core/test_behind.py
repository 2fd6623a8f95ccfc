"""Own devices that are silent: which count, since when, and what a run for somebody else may do meanwhile."""

import pytest

from dispatch_daemon.core import behind
from dispatch_protocol.chain import Chain
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, sign_link
from dispatch_protocol.scopes import Approval, Scopes
from tests.support.documents import ALICE, NOW_MS, fixed

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
PHONE, TABLET = SigningKey(fixed("phone")), SigningKey(fixed("tablet"))


def added(chain: Chain, key: SigningKey, at_ms: int) -> Chain:
    seal = SealingKey(fixed(key.device.hex)).public
    link = AddDeviceLink(
        prev=chain.head,
        device=key.device,
        sealing=seal,
        roles=ALL_ROLES,
        created_ms=at_ms,
        nonce=bytes(16),
    )
    return chain.extend([sign_link(link, (ALICE.sign, key))])


BOTH = added(ALICE.chain, PHONE, NOW_MS)


@pytest.mark.parametrize(("after_ms", "silent"), [(0, False), (WEEK_MS, False), (WEEK_MS + 1, True)])
def test_device_is_silent_after_a_week_from_its_last_word(after_ms: int, silent: bool) -> None:
    said_ms = NOW_MS + 3 * DAY_MS
    found = behind.silent(BOTH, ALICE.device, {PHONE.device.hex: said_ms}, said_ms + after_ms)
    assert found == ({PHONE.device: said_ms} if silent else {})


def test_who_has_just_joined_has_had_no_time_to_speak() -> None:
    late = NOW_MS + 30 * DAY_MS
    three = added(BOTH, TABLET, late)
    heard = {PHONE.device.hex: late}
    assert behind.silent(three, ALICE.device, heard, late + WEEK_MS) == {}
    assert behind.silent(three, ALICE.device, heard, late + WEEK_MS + 1).keys() == {
        PHONE.device,
        TABLET.device,
    }
    # And the one that has just joined has heard nobody yet.
    assert behind.silent(three, TABLET.device, {}, late + WEEK_MS) == {}
    assert len(behind.silent(three, TABLET.device, {}, late + WEEK_MS + 1)) == 2


def test_one_device_alone_and_one_that_was_revoked_are_never_silent() -> None:
    later = NOW_MS + 100 * DAY_MS
    assert behind.silent(ALICE.chain, ALICE.device, {}, later) == {}
    link = RevokeDeviceLink(prev=BOTH.head, device=PHONE.device, created_ms=NOW_MS, nonce=bytes(16))
    alone = BOTH.extend([sign_link(link, (ALICE.sign,))])
    assert behind.silent(alone, ALICE.device, {}, later) == {}


def test_auto_becomes_manual_and_nothing_else_changes() -> None:
    silent = {PHONE.device: NOW_MS}
    scopes = Scopes(tools=("Read",), approval=Approval.AUTO)
    assert behind.bounded(scopes, {}) == scopes
    less = behind.bounded(scopes, silent)
    assert (less.approval, less.tools) == (Approval.MANUAL, scopes.tools)
    for approval in (Approval.MANUAL, Approval.REVIEW):
        other = Scopes(tools=("Read",), approval=approval)
        assert behind.bounded(other, silent) == other


def test_why_names_who_is_silent_since_when_and_what_to_do() -> None:
    said = behind.why({PHONE.device: NOW_MS}, {PHONE.device.hex: ("phone", 1)})
    assert "your device phone (since 2" in said
    assert "asks" in said
    both = behind.why({PHONE.device: NOW_MS, TABLET.device: NOW_MS}, {})
    assert f"devices {PHONE.device.hex[:8]} (since" in both
    assert TABLET.device.hex[:8] in both
