"""Seven words: the same for both, others for whoever sits between, who has but the chance that is stated."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.compare import WORDS_SHOWN, Side, commitment, keeps, words
from dispatch_protocol.comparison_words import WORDS
from dispatch_protocol.keys import Digest, Genesis
from tests.support.documents import ALICE, BOB, digest, fixed

ONE = Side(ALICE.chain.genesis, digest("one"), fixed("one"))
OTHER = Side(BOB.chain.genesis, digest("other"), fixed("other"))
TRIALS = 2_048


def test_both_sides_see_the_same_seven_words():
    seen = words(ONE, OTHER)
    assert seen == words(OTHER, ONE)
    assert len(seen) == WORDS_SHOWN == 7
    assert set(seen) <= set(WORDS)


@pytest.mark.parametrize(
    "changed",
    [
        replace(ONE, comparison=digest("another head, address, edge or device")),
        replace(ONE, random=fixed("another draw")),
        replace(ONE, genesis=Genesis(b"\xff" * 32 if ONE.genesis.raw < OTHER.genesis.raw else bytes(32))),
    ],
)
def test_whatever_differs_between_the_two_changes_them(changed):
    assert words(changed, OTHER) != words(ONE, OTHER)


def test_the_side_that_is_first_is_the_one_of_the_smaller_genesis_not_the_one_that_began():
    low, high = Genesis(bytes(32)), Genesis(b"\xff" * 32)
    straight = words(replace(ONE, genesis=low), replace(OTHER, genesis=high))
    assert straight != words(replace(ONE, genesis=high), replace(OTHER, genesis=low))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_commitment_holds_for_its_own_bytes_and_its_own_maker_alone(random, other):
    made = commitment(ONE.genesis, random)
    assert keeps(ONE.genesis, made, random)
    assert not keeps(OTHER.genesis, made, random)
    assert keeps(ONE.genesis, made, other) is (random == other)


def trial(number: int) -> tuple[Side, Side, Side, Side]:
    """Return Alice with the middle, and the middle with Bob; all four bound before anything is revealed."""
    middle = [Genesis(fixed(f"middle {side}")) for side in range(2)]
    drawn = [fixed(f"{number} {who}") for who in ("alice", "towards alice", "towards bob", "bob")]
    names = (ALICE.chain.genesis, *middle, BOB.chain.genesis)
    alice, to_alice, to_bob, bob = (
        Side(name, Digest(fixed(f"{number} D {at}")), random)
        for at, (name, random) in enumerate(zip(names, drawn, strict=True))
    )
    return alice, to_alice, to_bob, bob


def test_the_chance_of_somebody_in_the_middle_is_one_in_256_for_each_word_and_so_2_to_the_56_for_all():
    same = 0
    for number in range(TRIALS):
        alice, to_alice, to_bob, bob = trial(number)
        near, far = words(alice, to_alice), words(to_bob, bob)
        assert near != far
        same += sum(one == other for one, other in zip(near, far, strict=True))
    expected = TRIALS * WORDS_SHOWN / len(WORDS)  # 56; the bounds are five standard deviations away
    assert abs(same - expected) < 5 * expected**0.5


def test_without_a_commitment_the_middle_would_try_until_the_words_agree():
    for number in range(8):
        alice, to_alice, to_bob, bob = trial(number)
        wanted = words(alice, to_alice)[0]
        tries = (replace(to_bob, random=fixed(f"{number} try {attempt}")) for attempt in count())
        found = next(side for side in tries if words(side, bob)[0] == wanted)
        # What it is bound to are other bytes, and a reveal of these would not count.
        assert not keeps(to_bob.genesis, commitment(to_bob.genesis, to_bob.random), found.random)
