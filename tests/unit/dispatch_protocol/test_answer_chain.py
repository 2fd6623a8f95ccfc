import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol import answer_chain
from dispatch_protocol.answer_chain import AnswerChain, Followed, Place, follow, follow_all
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.keys import Digest
from tests.support.documents import digest


def places(count: int, name: str = "answer") -> list[Place]:
    """A chain of this many answers."""
    digests = [Digest.ZERO, *(digest(f"{name} {seq}") for seq in range(1, count + 1))]
    return [Place(seq, digests[seq], digests[seq - 1]) for seq in range(1, count + 1)]


FIVE = places(5)


def test_before_the_first_answer():
    assert (AnswerChain().seq, AnswerChain().head, AnswerChain().missing) == (0, Digest.ZERO, None)


@given(st.permutations(FIVE + FIVE[:2]))
def test_any_order_with_repetitions_ends_the_same_and_takes_each_once_in_turn(order):
    chain, taken = AnswerChain(), []
    for place in order:
        followed = follow(chain, place)
        chain = followed.chain
        taken += followed.taken
        assert followed.forked == ()
    assert taken == FIVE
    assert (chain.seq, chain.head, chain.missing) == (5, FIVE[-1].digest, None)


def test_what_comes_too_early_is_held_until_its_turn():
    held = follow(AnswerChain(), FIVE[2])
    assert held == Followed(AnswerChain((), (FIVE[2],)))
    assert held.chain.missing == 1
    one = follow(held.chain, FIVE[0])
    assert (one.taken, one.chain.missing) == ((FIVE[0],), 2)
    assert follow(one.chain, FIVE[1]).taken == (FIVE[1], FIVE[2])


def test_two_answers_in_one_place_are_evidence():
    chain = follow_all(FIVE).chain
    other = Place(3, digest("another third"), FIVE[1].digest)
    assert follow(chain, other) == Followed(chain, forked=(other,))


def test_also_while_they_are_held():
    held = follow(AnswerChain(), FIVE[2]).chain
    other = Place(3, digest("another third"), FIVE[1].digest)
    assert follow(held, other) == Followed(held, forked=(other,))


def test_an_answer_that_follows_another_history_is_not_taken():
    wrong = Place(2, digest("second"), digest("another first"))
    one = follow(AnswerChain(), FIVE[0]).chain
    assert follow(one, wrong) == Followed(one, forked=(wrong,))
    held = follow(AnswerChain(), wrong).chain
    assert follow(held, FIVE[0]) == Followed(one, (FIVE[0],), (wrong,))


def test_all_at_once():
    assert follow_all(reversed(FIVE)) == Followed(
        AnswerChain(tuple(place.digest for place in FIVE)), tuple(FIVE)
    )
    fork = Place(5, digest("another fifth"), FIVE[3].digest)
    both = follow_all([*FIVE, fork])
    assert len(both.taken) == 5
    assert len(both.forked) == 1


def test_not_everything_is_held(monkeypatch):
    monkeypatch.setattr(answer_chain, "HELD", 2)
    chain = AnswerChain()
    for place in itertools.islice(FIVE, 1, 3):
        chain = follow(chain, place).chain
    with pytest.raises(RefusedError) as refused:
        follow(chain, FIVE[3])
    assert refused.value.reason is RefusalCode.SEQUENCE_GAP
    assert follow(chain, FIVE[2]).chain == chain
