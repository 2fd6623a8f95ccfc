"""A meeting place holds two machines, a few messages and ten minutes, and its second stranger finds it taken."""

from dispatch_broker.core import pairings
from dispatch_broker.core.pairings import LIFE_MS, MESSAGES, PLACES_PER_ACCOUNT, Pairings
from dispatch_broker.core.refusal import BrokerCode, Refusal
from tests.support.broker_facts import ALICE, ALICE_DEVICE, BOB, BOB_DEVICE, NOW_MS


def opened(name: str = "place") -> Pairings:
    places = Pairings()
    assert places.open(name, ALICE.genesis, ALICE_DEVICE, "offer", NOW_MS) is None
    return places


def code_of(answer: object) -> BrokerCode:
    assert isinstance(answer, Refusal)
    return answer.code


def test_two_machines_speak_through_it():
    places = opened()
    assert places.said("place", NOW_MS) == ("offer",)
    assert places.heard("place", ALICE_DEVICE, NOW_MS) == (None, None)
    assert places.join("place", "join", NOW_MS) is None
    assert places.heard("place", ALICE_DEVICE, NOW_MS) == ("join", None)
    assert places.say("place", ALICE_DEVICE, "reveal", NOW_MS) is None
    assert places.said("place", NOW_MS) == ("offer", "reveal")


def test_whoever_comes_second_finds_it_taken():
    places = opened()
    places.join("place", "join", NOW_MS)
    assert code_of(places.join("place", "another", NOW_MS)) is BrokerCode.NOT_PENDING
    assert places.heard("place", ALICE_DEVICE, NOW_MS) == ("join", None)


def test_the_new_machine_says_what_its_person_has_found_and_its_last_word_is_heard():
    places = opened()
    assert code_of(places.judge("place", "too early", NOW_MS)) is BrokerCode.NOT_PENDING
    assert code_of(places.judge("elsewhere", "yes", NOW_MS)) is BrokerCode.NOT_FOUND
    places.join("place", "join", NOW_MS)
    for verdict in ("yes", "no"):
        assert places.judge("place", verdict, NOW_MS) is None
        assert places.heard("place", ALICE_DEVICE, NOW_MS) == ("join", verdict)
    assert code_of(places.heard("place", BOB_DEVICE, NOW_MS)) is BrokerCode.NOT_FOUND
    assert code_of(places.judge("place", "late", NOW_MS + LIFE_MS)) is BrokerCode.NOT_FOUND


def test_nobody_else_speaks_for_the_device_that_began_it_or_hears_what_is_for_it():
    places = opened()
    assert code_of(places.say("place", BOB_DEVICE, "reveal", NOW_MS)) is BrokerCode.NOT_FOUND
    assert code_of(places.heard("place", BOB_DEVICE, NOW_MS)) is BrokerCode.NOT_FOUND
    places.close("place", BOB_DEVICE, NOW_MS)
    assert places.said("place", NOW_MS) == ("offer",)


def test_it_ends_with_its_time_or_with_a_word():
    places = opened()
    assert code_of(places.said("place", NOW_MS + LIFE_MS)) is BrokerCode.NOT_FOUND
    assert code_of(places.join("place", "join", NOW_MS)) is BrokerCode.NOT_FOUND
    places = opened()
    places.close("place", ALICE_DEVICE, NOW_MS)
    assert code_of(places.said("place", NOW_MS)) is BrokerCode.NOT_FOUND


def test_it_holds_a_few_messages_and_no_more():
    places = opened()
    for _ in range(MESSAGES - 1):
        assert places.say("place", ALICE_DEVICE, "more", NOW_MS) is None
    assert code_of(places.say("place", ALICE_DEVICE, "more", NOW_MS)) is BrokerCode.QUOTA


def test_one_account_has_a_few_and_a_name_is_used_once(monkeypatch):
    places = opened("0")
    assert code_of(places.open("0", BOB.genesis, BOB_DEVICE, "x", NOW_MS)) is BrokerCode.ID_COLLISION
    for number in range(1, PLACES_PER_ACCOUNT):
        assert places.open(str(number), ALICE.genesis, ALICE_DEVICE, "offer", NOW_MS) is None
    assert code_of(places.open("x", ALICE.genesis, ALICE_DEVICE, "offer", NOW_MS)) is BrokerCode.QUOTA
    assert places.open("x", BOB.genesis, BOB_DEVICE, "offer", NOW_MS) is None
    monkeypatch.setattr(pairings, "PLACES", PLACES_PER_ACCOUNT + 1)
    assert code_of(places.open("y", BOB.genesis, BOB_DEVICE, "offer", NOW_MS)) is BrokerCode.QUOTA
