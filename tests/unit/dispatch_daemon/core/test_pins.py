"""A pin holds a genesis for ever, a chain that grows, and the evidence of a second history."""

import pytest

from dispatch_daemon.core import pins
from dispatch_daemon.core.trust_records import ContactRecord, Trust
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.links import RecoverLink, sign_link
from tests.support.desk import at
from tests.support.documents import ALICE, NOW_MS, rotated


def contact(chain: Chain, known_as: Trust = Trust.UNVERIFIED) -> ContactRecord:
    return pins.pinned(chain, "old@example.org", known_as, None, NOW_MS)


GROWN = rotated(ALICE.chain, "another key")


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [
        (Trust.UNVERIFIED, Trust.TOKEN, Trust.TOKEN),
        (Trust.TOKEN, Trust.UNVERIFIED, Trust.TOKEN),
        (Trust.COMPARED, Trust.TOKEN, Trust.COMPARED),
    ],
)
def test_contact_is_never_known_worse(before: Trust, now: Trust, after: Trust) -> None:
    known = contact(ALICE.chain, before)
    assert pins.pinned(ALICE.chain, ALICE.email, now, known, NOW_MS).trust is after


@pytest.mark.parametrize(("before", "now"), [(ALICE.chain, GROWN), (GROWN, ALICE.chain), (GROWN, GROWN)])
def test_pinned_chain_only_grows(before: Chain, now: Chain) -> None:
    known = contact(before)
    again = pins.pinned(now, ALICE.email, Trust.TOKEN, known, at(NOW_MS + 1).now_ms)
    assert len(again.chain) == 2
    assert (again.address, again.pinned_ms) == (ALICE.email, NOW_MS)


def test_second_history_of_one_identity_is_never_pinned() -> None:
    other = rotated(rotated(ALICE.chain, "a thief's key"), "and one more")
    with pytest.raises(RefusedError) as raised:
        pins.pinned(other, ALICE.email, Trust.TOKEN, contact(GROWN), NOW_MS)
    assert raised.value.code == "chain_forked"


def recovered(chain: Chain) -> Chain:
    link = RecoverLink(
        prev=chain.head,
        epoch=chain.epoch + 1,
        survivors=frozenset(chain.devices),
        device=None,
        created_ms=NOW_MS,
        nonce=bytes(16),
    )
    return chain.extend([sign_link(link, [ALICE.recovery])])


def test_conflict_keeps_both_histories_and_only_a_recovery_ends_it() -> None:
    other = rotated(ALICE.chain, "a thief's key")
    torn = pins.conflicting(contact(GROWN), other.links)
    assert torn.conflict == tuple(link.to_json() for link in other.links)
    assert torn.chain == contact(GROWN).chain
    longer = pins.retold(torn, rotated(GROWN, "and one more").links)
    assert (len(longer.chain), longer.conflict) == (3, torn.conflict)
    again = pins.retold(torn, recovered(ALICE.chain).links)
    assert (len(again.chain), again.conflict) == (2, None)


def test_contact_is_compared_until_a_recovery_begins_its_chain_anew() -> None:
    known = pins.compared(pins.compared(contact(ALICE.chain, Trust.UNVERIFIED), NOW_MS), NOW_MS + 1)
    assert (known.trust, known.known_before, known.compared_ms) == (
        Trust.COMPARED,
        Trust.UNVERIFIED,
        NOW_MS + 1,
    )
    assert pins.retold(known, GROWN.links).trust is Trust.COMPARED
    again = pins.retold(known, recovered(ALICE.chain).links)
    assert (again.trust, again.compared_ms) == (Trust.UNVERIFIED, NOW_MS + 1)
    assert pins.retold(contact(ALICE.chain, Trust.TOKEN), recovered(ALICE.chain).links).trust is Trust.TOKEN


def test_first_contact_after_a_recovery_brings_no_comparison_back() -> None:
    known = pins.compared(contact(ALICE.chain, Trust.UNVERIFIED), NOW_MS)
    again = pins.pinned(recovered(ALICE.chain), ALICE.email, Trust.TOKEN, known, NOW_MS)
    assert again.trust is Trust.TOKEN


def test_better_way_of_knowing_is_kept_and_none_is_none() -> None:
    assert pins.better(Trust.TOKEN, Trust.UNVERIFIED) is Trust.TOKEN
    assert pins.better(None, Trust.UNVERIFIED) is Trust.UNVERIFIED
    assert pins.better(None, None) is None
