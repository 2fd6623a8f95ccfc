"""What a device does next about its sealing keys, from the chain and the keys that it holds alone."""

from collections.abc import Sequence

import pytest

from dispatch_daemon.core import rotating
from dispatch_daemon.core.rotating import Next, Step
from dispatch_protocol.chain import Chain
from dispatch_protocol.keys import SealingKey
from dispatch_protocol.links import RecoverLink, RotateSealingLink, sign_link
from tests.support.documents import ALICE, NOW_MS, fixed

DAY_MS = 86_400_000
OLD, NEW, NEWER = ALICE.seal, SealingKey(fixed("new")), SealingKey(fixed("newer"))


def rotated(chain: Chain, key: SealingKey, at_ms: int) -> Chain:
    link = RotateSealingLink(
        prev=chain.head, device=ALICE.device, sealing=key.public, created_ms=at_ms, nonce=bytes(16)
    )
    return chain.extend([sign_link(link, (ALICE.sign,))])


ROTATED_MS = NOW_MS + 30 * DAY_MS
ROTATED = rotated(ALICE.chain, NEW, ROTATED_MS)


def next_step(chain: Chain, held: Sequence[SealingKey], now_ms: int) -> Next:
    return rotating.next_step(chain, ALICE.device, [key.public for key in held], now_ms)


@pytest.mark.parametrize(
    ("chain", "held", "now_ms", "expected"),
    [
        (ALICE.chain, [OLD], NOW_MS, Next(Step.WAIT, NOW_MS + 30 * DAY_MS)),
        (ALICE.chain, [OLD], ROTATED_MS - 1, Next(Step.WAIT, ROTATED_MS)),
        (ALICE.chain, [OLD], ROTATED_MS, Next(Step.MAKE)),
        (ALICE.chain, [OLD], NOW_MS + 400 * DAY_MS, Next(Step.MAKE)),
        (ALICE.chain, [OLD], NOW_MS - 1, Next(Step.MAKE)),  # a clock that was wrong made this one
        (ALICE.chain, [NEW, OLD], ROTATED_MS, Next(Step.STATE)),
        (ROTATED, [NEW, OLD], ROTATED_MS, Next(Step.WAIT, ROTATED_MS + 8 * DAY_MS)),
        (ROTATED, [NEW, OLD], ROTATED_MS + 8 * DAY_MS - 1, Next(Step.WAIT, ROTATED_MS + 8 * DAY_MS)),
        (ROTATED, [NEW, OLD], ROTATED_MS + 8 * DAY_MS, Next(Step.FORGET)),
        (ROTATED, [NEW], ROTATED_MS + 8 * DAY_MS, Next(Step.WAIT, ROTATED_MS + 30 * DAY_MS)),
        (ROTATED, [NEW], ROTATED_MS + 30 * DAY_MS, Next(Step.MAKE)),
        # After long sleep the old key goes first, even where nobody can be told of a new one.
        (ROTATED, [NEW, OLD], ROTATED_MS + 90 * DAY_MS, Next(Step.FORGET)),
        (ROTATED, [OLD], ROTATED_MS, Next(Step.MAKE)),  # the keys of an older copy
    ],
)
def test_next_step_follows_from_chain_and_keys(
    chain: Chain, held: list[SealingKey], now_ms: int, expected: Next
) -> None:
    assert next_step(chain, held, now_ms) == expected


def test_a_recovery_that_takes_a_device_back_as_it_was_makes_its_key_new_again() -> None:
    link = RecoverLink(
        prev=ALICE.chain.head,
        epoch=1,
        survivors=frozenset({ALICE.device}),
        device=None,
        created_ms=ROTATED_MS,
        nonce=bytes(16),
    )
    recovered = ALICE.chain.extend([sign_link(link, (ALICE.recovery,))])
    # The new key is one that nothing in this history states, whether the old one is still held or not.
    assert next_step(recovered, [NEW, OLD], ROTATED_MS).step is Step.STATE
    assert next_step(recovered, [NEW], ROTATED_MS).step is Step.STATE
    assert next_step(rotated(recovered, NEW, ROTATED_MS), [NEW], ROTATED_MS).step is Step.WAIT


def test_a_chain_that_is_nearly_full_is_left_to_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating, "CHAIN_LINKS", rotating.SPARE_LINKS + 1)
    assert next_step(ALICE.chain, [OLD], ROTATED_MS).step is Step.MAKE
    waits = next_step(ROTATED, [NEWER, NEW], ROTATED_MS)
    assert (waits.step, waits.until_ms > ROTATED_MS) == (Step.WAIT, True)
    assert next_step(ROTATED, [NEW, OLD], ROTATED_MS + 8 * DAY_MS).step is Step.FORGET


def test_a_key_is_due_after_thirty_days_and_refused_after_sixty() -> None:
    device = ALICE.chain.devices[ALICE.device]
    assert [rotating.is_due(device, NOW_MS + days * DAY_MS) for days in (0, 29, 30)] == [False, False, True]
    sixty = NOW_MS + 60 * DAY_MS
    assert [rotating.is_refused(device, at) for at in (NOW_MS, sixty, sixty + 1)] == [False, False, True]


def test_a_device_came_back_when_it_replaces_a_key_that_was_refused() -> None:
    assert not rotating.came_back(ALICE.chain, ROTATED)
    assert rotating.came_back(ALICE.chain, rotated(ALICE.chain, NEW, NOW_MS + 61 * DAY_MS))
    assert not rotating.came_back(ALICE.chain, ALICE.chain)
