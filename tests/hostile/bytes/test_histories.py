"""Whatever a thief, an owner and a recovery key make of one identity, all who hear the same tellings hold the same chain."""

import itertools
from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.keys import SigningKey
from tests.support.vectors.chains import LAPTOP, ONE, PHONE, TWO, add, recover, revoke, rotate
from tests.support.vectors.fixed import fixed

ACTS = st.tuples(st.sampled_from(["add", "revoke", "rotate", "recover"]), st.integers(0, 3))


def acted(chain: Chain, act: str, by: int) -> Chain:
    """Return the chain after one act of one of its devices, or as it was if that may not be done there."""
    keys = {key.device: key for key in (LAPTOP, PHONE)}
    active = [keys[device] for device in sorted(chain.devices) if device in keys]
    name = f"{act} {by} after {chain.head.hex}"
    new = SigningKey(fixed(name))
    signer = active[by % len(active)] if active else None
    try:
        match act:
            case "recover":
                survivors = [key for key in active if key == signer]
                link = recover(chain, new=new, survivors=survivors, name=name, epoch=chain.epoch + 1 + by % 2)
            case _ if signer is None:
                return chain
            case "add":
                link = add(chain, new, name, signer, new)
            case "revoke":
                link = revoke(chain, active[0].device, signer)
            case _:
                link = rotate(chain, signer, name)
        return chain.extend([link])
    except RefusedError:
        return chain


@st.composite
def tellings(draw: st.DrawFn) -> list[Chain]:
    """Draw a few histories of one identity, each going on from some link of the ones before."""
    told = [TWO]
    for _ in range(draw(st.integers(1, 4))):
        base = draw(st.sampled_from(told))
        head = draw(st.sampled_from(base.heads))
        chain = base.at(head) or ONE
        for act, by in draw(st.lists(ACTS, min_size=1, max_size=4)):
            chain = acted(chain, act, by)
        told.append(chain)
    return told


def heard(held: Chain | None, told: Chain) -> Chain | None:
    """Return what is held after one more telling; None once two histories have stopped everything."""
    if held is None:
        return None
    try:
        return held.update(told.links)
    except RefusedError as error:
        if error.reason is not RefusalCode.CHAIN_FORKED:
            raise
        return None


@settings(max_examples=150)
@given(tellings())
def test_of_two_tellings_both_sides_hold_the_same(told: list[Chain]) -> None:
    for one, other in itertools.combinations(told, 2):
        here, there = heard(one, other), heard(other, one)
        if here is None or there is None:
            assert here is there
            assert one.epoch == other.epoch
            continue
        # The signatures are no part of a link's digest: two who may sign one link make the same one.
        assert here.heads == there.heads
        assert here.heads in (one.heads, other.heads)
        assert here.devices == there.devices
        assert here.epoch == max(one.epoch, other.epoch)
        assert heard(here, one) == heard(here, other) == here


@settings(max_examples=150)
@given(tellings(), st.randoms(use_true_random=False))
def test_no_telling_leads_back_to_what_a_recovery_voided(told: list[Chain], chance: object) -> None:
    order = list(told)
    chance.shuffle(order)  # type: ignore[attr-defined]  # Hypothesis' own Random
    epochs = [
        chain.epoch for chain in itertools.accumulate(order, lambda held, one: heard(held, one) or held)
    ]
    assert epochs == sorted(epochs)
    highest = max(order, key=lambda chain: chain.epoch)
    end = reduce(lambda held, one: heard(held, one) or held, order)
    assert end.epoch == highest.epoch
