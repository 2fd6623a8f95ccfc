from dataclasses import replace

import pytest

from dispatch_broker.core.accounts import (
    Hello,
    Signup,
    SignupMode,
    greet,
    grow,
    is_expected,
    normal_address,
    sign_in,
)
from dispatch_broker.core.effects import KeepCounter, KeepLinks, OpenAccount, Tell, Topic
from dispatch_broker.core.records import Account, Claim, Standing
from dispatch_broker.core.refusal import BrokerCode, Refusal
from tests.support.broker_facts import ALICE, ALICE_DEVICE, BOB, BOB_DEVICE, NOW_MS

OPEN = Signup(SignupMode.OPEN)
CLAIM = Claim(ALICE.address, ALICE.genesis, ALICE_DEVICE)


class TestAddresses:
    @pytest.mark.parametrize(
        "text,address",
        [
            ("alice@example.org", "alice@example.org"),
            ("Alice@Example.ORG", "alice@example.org"),
            ("a.b+c@localhost", "a.b+c@localhost"),
        ],
    )
    def test_an_address_has_one_spelling(self, text, address):
        assert normal_address(text) == address

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "alice",
            "@example.org",
            "alice@",
            "alice@-example.org",
            "alice@example..org",
            "alice@example.org.",
            "al ice@example.org",
            "alice@example.org\n",
            "älice@example.org",
            "alice@exämple.org",
            "alice@bob@example.org",
            "a" * 65 + "@example.org",
            "a@" + "b" * 253,
            "<script>@example.org",
        ],
    )
    def test_what_is_no_address_is_refused(self, text):
        assert normal_address(text) is None


class TestSignup:
    def test_the_operators_words_are_read(self):
        assert Signup.parse("open") == OPEN
        assert Signup.parse("closed") == Signup(SignupMode.CLOSED)
        assert Signup.parse("domain:Example.org") == Signup(SignupMode.DOMAIN, "example.org")

    @pytest.mark.parametrize("text", ["", "Open", "domain", "domain:", "domain:a b", "domain:x@y", "all:x"])
    def test_other_words_are_not(self, text):
        assert Signup.parse(text) is None

    def test_each_mode_admits_whom_it_says(self):
        assert OPEN.admits("alice@example.org")
        assert not Signup(SignupMode.CLOSED).admits("alice@example.org")
        domain = Signup(SignupMode.DOMAIN, "example.org")
        assert domain.admits("alice@example.org")
        assert not domain.admits("alice@evil-example.org")
        assert not domain.admits("alice@sub.example.org")


class TestSigningIn:
    def test_a_new_address_and_a_new_identity_are_welcome(self):
        assert sign_in(CLAIM, None, None, OPEN) is None

    def test_signing_in_again_is_always_possible(self):
        assert sign_in(CLAIM, ALICE, ALICE, Signup(SignupMode.CLOSED)) is None

    def test_an_address_never_gets_a_second_identity(self):
        taken = Account(BOB.genesis, ALICE.address)
        assert sign_in(CLAIM, taken, None, OPEN).code is BrokerCode.PAIR_NEEDED

    def test_an_identity_keeps_its_address(self):
        elsewhere = Account(ALICE.genesis, "old@example.org")
        assert sign_in(CLAIM, None, elsewhere, OPEN).code is BrokerCode.ADDRESS_MISMATCH

    def test_a_closed_broker_opens_no_account(self):
        assert sign_in(CLAIM, None, None, Signup(SignupMode.CLOSED)).code is BrokerCode.SIGNUP_CLOSED


def hello(**changes):
    """Alice's device back again, with nothing new to say but its counter."""
    facts = Hello(
        genesis=ALICE.genesis,
        device=ALICE_DEVICE,
        counter=8,
        claim=None,
        token_shown=False,
        account=ALICE,
        namesake=ALICE,
        known_links=1,
        news=(),
        devices=(ALICE_DEVICE,),
        foreign_devices=False,
        last_counter=7,
        connections=0,
    )
    return replace(facts, **changes)


NEWCOMER = {"account": None, "namesake": None, "known_links": 0, "news": (b"genesis",), "last_counter": 0}


def decide(*, signup=OPEN, **changes):
    return greet(hello(**changes), signup=signup, connections=16, now_ms=NOW_MS)


def code_of(decision):
    assert isinstance(decision, Refusal)
    return decision.code


class TestGrowing:
    def test_new_links_are_kept_and_the_other_devices_hear_of_it(self):
        devices = (ALICE_DEVICE,)
        assert grow(ALICE.genesis, 1, (b"rotate",), devices, foreign_devices=False) == (
            KeepLinks(ALICE.genesis, 1, (b"rotate",), devices),
            Tell(ALICE.genesis, Topic.CHAIN),
        )

    def test_nothing_new_changes_nothing(self):
        assert grow(ALICE.genesis, 2, (), (ALICE_DEVICE,), foreign_devices=False) == ()

    def test_a_device_of_somebody_else_is_refused(self):
        decision = grow(ALICE.genesis, 1, (b"add",), (ALICE_DEVICE,), foreign_devices=True)
        assert code_of(decision) is BrokerCode.ID_COLLISION


class TestGreeting:
    def test_a_known_device_needs_no_token(self):
        assert decide() == (ALICE, (KeepCounter(ALICE_DEVICE, 8),))

    def test_a_token_brings_a_new_identity_up_to_an_account(self):
        assert decide(claim=CLAIM, token_shown=True, **NEWCOMER) == (
            ALICE,
            (
                OpenAccount(ALICE, NOW_MS),
                KeepLinks(ALICE.genesis, 0, (b"genesis",), (ALICE_DEVICE,)),
                KeepCounter(ALICE_DEVICE, 8),
            ),
        )

    def test_a_token_shown_again_changes_nothing(self):
        assert decide(claim=CLAIM, token_shown=True) == decide()

    def test_a_known_device_may_show_a_token_whose_time_is_over(self):
        assert decide(claim=None, token_shown=True) == decide()

    def test_new_links_are_appended(self):
        account, effects = decide(news=(b"rotate",))
        assert account == ALICE
        assert effects[0] == KeepLinks(ALICE.genesis, 1, (b"rotate",), (ALICE_DEVICE,))

    def test_a_stranger_without_a_token_signs_in_first(self):
        assert code_of(decide(**NEWCOMER)) is BrokerCode.LOGIN_NEEDED

    def test_a_stranger_with_a_bad_token_is_told_so(self):
        assert code_of(decide(token_shown=True, **NEWCOMER)) is BrokerCode.TOKEN_INVALID

    @pytest.mark.parametrize(
        "claim", [replace(CLAIM, device=BOB_DEVICE), replace(CLAIM, genesis=BOB.genesis)]
    )
    def test_a_token_without_its_device_key_opens_nothing(self, claim):
        assert code_of(decide(claim=claim, token_shown=True, **NEWCOMER)) is BrokerCode.TOKEN_INVALID

    def test_an_address_that_was_taken_meanwhile_stays_taken(self):
        taken = {**NEWCOMER, "namesake": Account(BOB.genesis, ALICE.address)}
        assert code_of(decide(claim=CLAIM, token_shown=True, **taken)) is BrokerCode.PAIR_NEEDED

    def test_a_device_outside_the_chain_is_refused(self):
        assert code_of(decide(devices=(BOB_DEVICE,))) is BrokerCode.DEVICE_REVOKED

    def test_a_device_belongs_to_one_identity(self):
        assert code_of(decide(foreign_devices=True)) is BrokerCode.ID_COLLISION

    @pytest.mark.parametrize("counter", [6, 7])
    def test_a_cloned_or_rolled_back_home_is_noticed(self, counter):
        assert code_of(decide(counter=counter)) is BrokerCode.COUNTER_REUSED

    def test_connections_of_one_account_are_counted(self):
        assert code_of(decide(connections=16)) is BrokerCode.QUOTA


def test_a_code_is_mailed_to_whoever_has_an_account_or_may_open_one():
    closed = Signup(SignupMode.CLOSED)
    assert is_expected(ALICE.address, ALICE, closed, None)
    assert not is_expected(ALICE.address, None, closed, None)
    assert is_expected(ALICE.address, None, OPEN, None)
    assert is_expected(ALICE.address, None, closed, Standing.ADMITTED)
    assert not is_expected(ALICE.address, ALICE, OPEN, Standing.DISABLED)


class TestTheOperatorsWord:
    def test_an_admitted_address_opens_an_account_at_a_closed_broker(self):
        closed = Signup(SignupMode.CLOSED)
        assert sign_in(CLAIM, None, None, closed, Standing.ADMITTED) is None
        assert sign_in(CLAIM, None, None, closed).code is BrokerCode.SIGNUP_CLOSED

    def test_a_disabled_one_gets_neither_a_token_nor_a_session(self):
        assert sign_in(CLAIM, ALICE, ALICE, OPEN, Standing.DISABLED).code is BrokerCode.ACCOUNT_DISABLED
        for claim in (None, CLAIM):
            refused = decide(standing=Standing.DISABLED, claim=claim)
            assert refused.code is BrokerCode.ACCOUNT_DISABLED

    def test_a_device_that_signed_out_needs_a_login(self):
        assert decide(signed_out=True).code is BrokerCode.LOGIN_NEEDED
        assert decide(signed_out=True, token_shown=True).code is BrokerCode.TOKEN_INVALID
        account, _ = decide(signed_out=True, claim=CLAIM, token_shown=True)
        assert account == ALICE
