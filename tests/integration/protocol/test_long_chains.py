"""The longest chain that anybody reads, its two histories in one entry, and the way back of a person who has filled one."""

import pytest

from dispatch_daemon.core import devices, own_log, rotating
from dispatch_daemon.core.composing import Moment
from dispatch_daemon.core.effects import Send
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.encoding import dumps
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest, SealingKey, SigningKey
from dispatch_protocol.limits import CHAIN_BYTES
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RotateSealingLink, sign_link
from dispatch_protocol.messages.shared_trust import PinEntry
from dispatch_protocol.signing import Document
from tests.support import independent_evidence
from tests.support.desk import ALICE_OWN, MOMENT
from tests.support.documents import BOB, NOW_MS, fixed

PHONE = SigningKey(fixed("a phone that is let in late"))


def rotation(after: Digest, label: str) -> Document:
    """Return the link that replaces Bob's sealing key once more."""
    link = RotateSealingLink(
        prev=after,
        created_ms=NOW_MS,
        nonce=bytes(16),
        device=BOB.device,
        sealing=SealingKey(fixed(label)).public,
    )
    return sign_link(link, (BOB.sign,))


def filled(label: str) -> Chain:
    """Return Bob's chain with as many new keys as go into it."""
    links, size = list(BOB.chain.links), BOB.chain.size_bytes
    while True:
        link = rotation(links[-1].digest, f"{label} {len(links)}")
        size += len(dumps(link.to_json()))
        if size > CHAIN_BYTES:
            return Chain.verify(links, expect=BOB.chain.genesis)
        links.append(link)


@pytest.fixture(scope="module")
def full() -> Chain:
    return filled("one history")


def test_both_readings_read_the_longest_chain_and_none_that_is_longer(full: Chain) -> None:
    longer = [*full.links, rotation(full.head, "one too many")]
    assert Chain.verify(full.links, expect=full.genesis).head == full.head
    assert (
        independent_evidence.follow_chain(write_links(full.links), full.genesis.hex)[2][-1] == full.head.hex
    )
    with pytest.raises(MalformedError, match="bytes"):
        Chain.verify(longer, expect=full.genesis)
    with pytest.raises(independent_evidence.WrongError, match="malformed"):
        independent_evidence.follow_chain(write_links(longer), full.genesis.hex)


def test_the_longest_contact_with_two_histories_is_told(full: Chain) -> None:
    """One that was left out of a telling, because no document had room for it, would be unknown on a new machine."""
    entry = PinEntry(
        genesis=full.genesis,
        address="x" * 254,
        alias="x" * 255,
        trust="compared",
        links=full.links,
        conflict=filled("another history").links,
        pinned_ms=NOW_MS,
        compared_ms=NOW_MS,
        known_before="token",
        named_ms=NOW_MS,
    )
    assert len(dumps(entry.write())) <= own_log.LARGEST
    effects = own_log.fed([entry], ALICE_OWN, [], MOMENT)
    assert any(entry.genesis.hex in each.body.decode() for each in effects if isinstance(each, Send))


def test_a_full_chain_lets_nobody_in_ends_devices_and_begins_anew_from_paper(full: Chain) -> None:
    assert rotating.is_full(full)
    with pytest.raises(ServiceError) as refused:
        devices.require_room(full)
    assert (refused.value.code, "recovery" in refused.value.detail) == ("chain_full", True)
    moment: Moment = MOMENT
    new = (PHONE.device, SealingKey(fixed("its seal")).public)
    base, link = devices.recovery(
        full, frozenset({BOB.device}), new, now_ms=moment.now_ms, nonce=moment.nonce()
    )
    again = base.extend([sign_link(link, (BOB.recovery, PHONE))])
    assert full.update(again.links).head == again.head, "everybody who held the full one takes the short one"
    assert again.size_bytes < CHAIN_BYTES * 3 / 4
    devices.require_room(again)


def test_who_was_let_in_when_it_was_almost_full_is_not_kept(full: Chain) -> None:
    late = full.at(full.heads[-4])
    assert late is not None
    link = AddDeviceLink(
        prev=late.head,
        created_ms=NOW_MS,
        nonce=bytes(16),
        device=PHONE.device,
        sealing=SealingKey(fixed("its seal")).public,
        roles=ALL_ROLES,
    )
    late = late.extend([sign_link(link, (BOB.sign, PHONE))])
    new = (SigningKey(fixed("newest")).device, SealingKey(fixed("newest seal")).public)
    with pytest.raises(ServiceError) as refused:
        devices.recovery(late, frozenset({PHONE.device}), new, now_ms=NOW_MS, nonce=bytes(16))
    assert refused.value.code == "chain_full"
    base, _ = devices.recovery(late, frozenset(), new, now_ms=NOW_MS, nonce=bytes(16))
    assert base.size_bytes <= CHAIN_BYTES // 2
