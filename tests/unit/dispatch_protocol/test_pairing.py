"""Two machines agree, and whoever is between them cannot make them: swapped keys, replays and other links are seen."""

from dataclasses import replace

import pytest

from dispatch_protocol import pairing
from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.errors import DispatchError, MalformedError, RefusedError
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.links import ALL_ROLES, RevokeDeviceLink, Role, RotateSealingLink, sign_link
from dispatch_protocol.pairing import Join, Offer, Reveal, Verdict, Welcome
from dispatch_protocol.pairing_code import PairingCode
from dispatch_protocol.signing import sign_document
from tests.support.documents import ALICE, NOW_MS, fixed, person

CODE = PairingCode("https://courier.example", fixed("secret", 16))
OTHER = PairingCode("https://courier.example", fixed("another secret", 16))
PHONE, SEAL = SigningKey(fixed("phone")), SealingKey(fixed("phone seal"))
NONCE = fixed("old nonce")


def offer(**changes) -> Offer:
    made = Offer(
        genesis=ALICE.chain.genesis,
        head=ALICE.chain.head,
        device=ALICE.device,
        email=ALICE.email,
        roles=ALL_ROLES,
        commit=pairing.commitment(NONCE),
    )
    return replace(made, **changes)


def link(to: Offer, key: SigningKey = PHONE, seal: SealingKey = SEAL):
    return pairing.joining_link(to, key, seal.public, created_ms=NOW_MS, nonce=fixed("link nonce", 16))


def join(to: Offer | None = None, **of) -> Join:
    return Join(link=link(to or offer(), **of), nonce=fixed("new nonce"))


REVEAL = Reveal(nonce=NONCE)


def refused(call, *arguments) -> str:
    with pytest.raises(DispatchError) as raised:
        call(*arguments)
    return raised.value.code


def test_both_machines_see_one_number_and_the_chain_has_one_device_more():
    offered = pairing.hear_offer(CODE, pairing.say(CODE, offer()))
    joined = pairing.hear_join(CODE, pairing.say(CODE, join(offered)), offered, ALICE.chain)
    revealed = pairing.hear_reveal(CODE, pairing.say(CODE, REVEAL), offered)
    number = pairing.comparison(offer(), joined, REVEAL)
    assert number == pairing.comparison(offered, join(), revealed)
    assert (len(number), number.isdecimal()) == (6, True)
    both = pairing.countersigned(joined, ALICE.sign)
    chain = pairing.hear_welcome(CODE, pairing.say(CODE, Welcome(link=both)), join(), ALICE.chain)
    assert chain.devices[PHONE.device].roles == ALL_ROLES
    assert chain.devices[PHONE.device].seal == SEAL.public


def test_the_number_changes_with_everything_that_was_said():
    thief = SigningKey(fixed("thief"))
    numbers = {
        pairing.comparison(offer(), join(), REVEAL),
        pairing.comparison(offer(genesis=person("mallory").chain.genesis), join(), REVEAL),
        pairing.comparison(offer(email="mallory@example.org"), join(), REVEAL),
        pairing.comparison(offer(roles=frozenset()), join(), REVEAL),
        pairing.comparison(offer(), join(key=thief), REVEAL),
        pairing.comparison(offer(), join(seal=SealingKey(fixed("thief seal"))), REVEAL),
        pairing.comparison(offer(), replace(join(), nonce=fixed("x")), REVEAL),
        pairing.comparison(offer(), join(), Reveal(nonce=fixed("y"))),
    }
    assert len(numbers) == 8


def test_without_the_code_nothing_is_heard():
    for step, hear in (
        (offer(), lambda message: pairing.hear_offer(CODE, message)),
        (join(), lambda message: pairing.hear_join(CODE, message, offer(), ALICE.chain)),
        (REVEAL, lambda message: pairing.hear_reveal(CODE, message, offer())),
        (Welcome(link=join().link), lambda message: pairing.hear_welcome(CODE, message, join(), ALICE.chain)),
        (Verdict(same=True), lambda message: pairing.hear_verdict(CODE, message)),
    ):
        assert refused(hear, pairing.say(OTHER, step)) == "mac_bad"


@pytest.mark.parametrize("same", [True, False])
def test_a_verdict_says_what_a_person_has_found(same):
    assert pairing.hear_verdict(CODE, pairing.say(CODE, Verdict(same=same))) == Verdict(same=same)


def test_a_message_of_one_step_is_none_of_another():
    said = pairing.say(CODE, REVEAL)
    assert refused(pairing.hear_offer, CODE, said) == "mac_bad"


@pytest.mark.parametrize("message", ["", "{}", '{"body":"","mac":""}', "[]"])
def test_what_is_no_message_is_malformed(message):
    with pytest.raises(MalformedError):
        pairing.hear_offer(CODE, message)


def test_a_message_with_something_more_is_malformed():
    said = loads(pairing.say(CODE, offer()).encode(), max_bytes=9_000)
    with pytest.raises(MalformedError):
        pairing.hear_offer(CODE, dumps({**said, "more": 1}).decode())


def test_a_nonce_that_was_chosen_after_the_other_one_was_known_is_seen():
    late = Reveal(nonce=fixed("a nonce that makes the numbers equal"))
    assert refused(pairing.hear_reveal, CODE, pairing.say(CODE, late), offer()) == "mac_bad"


def test_a_join_adds_its_own_signer_where_and_as_was_offered():
    rotate = RotateSealingLink(
        prev=ALICE.chain.head, device=PHONE.device, sealing=SEAL.public, created_ms=1, nonce=bytes(16)
    )
    grown = ALICE.chain.extend([pairing.countersigned(join(), ALICE.sign)])
    signed_by_another = pairing.countersigned(join(), SigningKey(fixed("mallory")))
    for wrong, chain in (
        (join(offer(head=person("bob").chain.head)), ALICE.chain),
        (join(offer(roles=frozenset({Role.RUNNER}))), ALICE.chain),
        (Join(link=sign_link(rotate, (PHONE,)), nonce=NONCE), ALICE.chain),
        (join(seal=SealingKey(fixed("another seal"))), grown),
        (Join(link=signed_by_another, nonce=NONCE), ALICE.chain),
    ):
        code = refused(pairing.hear_join, CODE, pairing.say(CODE, wrong), offer(), chain)
        assert code in ("chain_broken", "signature_bad")


def test_a_machine_that_did_not_hear_its_welcome_joins_again_with_the_link_that_the_chain_has():
    grown = ALICE.chain.extend([pairing.countersigned(join(), ALICE.sign)])
    again = pairing.rejoining_link(grown, PHONE)
    assert again.digest == join().link.digest
    later = offer(head=grown.head, roles=frozenset({Role.RUNNER}))
    said = pairing.say(CODE, Join(link=again, nonce=NONCE))
    heard = pairing.hear_join(CODE, said, later, grown)
    welcome = pairing.say(CODE, Welcome(link=pairing.countersigned(heard, ALICE.sign)))
    assert pairing.hear_welcome(CODE, welcome, heard, grown) == grown
    # Nobody else joins with it, and nobody by whom it was ended.
    stolen = Join(link=sign_document((ALICE.sign,), again.payload_type, again.body), nonce=NONCE)
    assert refused(pairing.hear_join, CODE, pairing.say(CODE, stolen), later, grown) == "signature_bad"
    end = RevokeDeviceLink(prev=grown.head, device=PHONE.device, created_ms=1, nonce=bytes(16))
    over = grown.extend([sign_link(end, (ALICE.sign,))])
    assert refused(pairing.hear_join, CODE, said, later, over) == "chain_broken"
    assert pairing.rejoining_link(over, PHONE) is None
    assert pairing.rejoining_link(ALICE.chain, PHONE) is None


def test_a_welcome_holds_the_link_that_this_machine_has_signed_and_no_other():
    other = pairing.countersigned(join(seal=SealingKey(fixed("thief seal"))), ALICE.sign)
    said = pairing.say(CODE, Welcome(link=other))
    assert refused(pairing.hear_welcome, CODE, said, join(), ALICE.chain) == "chain_broken"
    alone = pairing.say(CODE, Welcome(link=join().link))
    with pytest.raises(RefusedError):
        pairing.hear_welcome(CODE, alone, join(), ALICE.chain)
