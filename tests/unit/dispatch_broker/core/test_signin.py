from dataclasses import replace

import pytest

from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_broker.core.signin import (
    INTERVAL_MS,
    MAIL_CODE_MS,
    SIGN_IN_MS,
    ProviderLeg,
    SignIn,
    SignInState,
    come_back,
    deny,
    enter_code,
    lead,
    mail_code,
    poll,
    prove,
    read_device_name,
    read_user_code,
    spoken,
    vouch,
)
from tests.support.broker_facts import ALICE, ALICE_DEVICE, NOW_MS

CODE = "12345678"
LEG = ProviderLeg(state="s", nonce="n", verifier="v", binding="b")
WAITING = SignIn(
    user_code="BCDFGHJK",
    genesis=ALICE.genesis,
    device=ALICE_DEVICE,
    device_name="laptop",
    wanted=None,
    expires_ms=NOW_MS + SIGN_IN_MS,
)


def code_of(decision):
    assert isinstance(decision, Refusal)
    return decision.code


def mailed(sign_in=WAITING, address=ALICE.address, now_ms=NOW_MS):
    decision = mail_code(sign_in, address, CODE, now_ms)
    assert isinstance(decision, SignIn)
    return decision


def proven():
    decision, refusal = enter_code(mailed(), CODE, NOW_MS)
    assert refusal is None
    return decision


def back(sign_in=WAITING):
    """The person went to the provider and came back."""
    taken = come_back(lead(sign_in, LEG, NOW_MS), LEG.binding, NOW_MS)
    assert not isinstance(taken, Refusal)
    return taken


def vouched(sign_in=WAITING, address=ALICE.address):
    after, leg = back(sign_in)
    decision = vouch(after, leg, address, NOW_MS)
    assert isinstance(decision, SignIn)
    return decision


class TestCodes:
    @pytest.mark.parametrize("typed", ["BCDFGHJK", "bcdf-ghjk", " bcdf ghjk\n", "B-C-D-F-G-H-J-K"])
    def test_a_user_code_is_read_as_people_type_it(self, typed):
        assert read_user_code(typed) == "BCDFGHJK"

    @pytest.mark.parametrize("typed", ["", "BCDFGHJ", "BCDFGHJKL", "ACDFGHJK", "BCDFGHJ1", "BCDFGHJÉ"])
    def test_what_is_no_code_is_none(self, typed):
        assert read_user_code(typed) is None

    def test_it_is_spoken_in_halves(self):
        assert spoken("BCDFGHJK") == "BCDF-GHJK"

    @pytest.mark.parametrize(
        "name,shown",
        [
            ("bobs laptop", "bobs laptop"),
            ("Büro", "Büro"),
            ("a\u202eb\x1b[2J\n", "ab[2J"),
            ("", "a device without a name"),
            ("\u200b", "a device without a name"),
            ("x" * 100, "x" * 64),
        ],
    )
    def test_a_devices_name_hides_nothing(self, name, shown):
        assert read_device_name(name) == shown

    def test_codes_and_secrets_stand_in_no_repr(self):
        shown = repr(lead(mailed(), LEG, NOW_MS))
        assert CODE not in shown
        assert "state='s'" not in shown


class TestPolling:
    def test_who_asks_too_often_is_slowed_down_for_good(self):
        first, pending = poll(WAITING, NOW_MS)
        assert code_of(pending) is BrokerCode.AUTHORIZATION_PENDING
        second, hurried = poll(first, NOW_MS + INTERVAL_MS - 1)
        assert code_of(hurried) is BrokerCode.SLOW_DOWN
        assert second.interval_ms == INTERVAL_MS + 5_000
        third, again = poll(second, second.polled_ms + INTERVAL_MS)
        assert code_of(again) is BrokerCode.SLOW_DOWN
        _, pending = poll(third, third.polled_ms + third.interval_ms)
        assert code_of(pending) is BrokerCode.AUTHORIZATION_PENDING

    def test_a_proven_address_is_a_yes_even_in_a_hurry(self):
        first, _ = poll(WAITING, NOW_MS)
        done = vouched(first)
        done = prove(done, LEG.binding, NOW_MS)
        after, refusal = poll(done, NOW_MS + 1)
        assert (after.address, refusal) == (ALICE.address, None)

    def test_its_time_is_over_even_if_it_was_proven(self):
        for sign_in in (WAITING, proven()):
            _, over = poll(sign_in, WAITING.expires_ms)
            assert code_of(over) is BrokerCode.EXPIRED_TOKEN

    def test_a_no_is_told(self):
        _, denied = poll(deny(mailed()), NOW_MS)
        assert code_of(denied) is BrokerCode.ACCESS_DENIED


class TestMailedCodes:
    def test_the_right_code_proves_its_address(self):
        after, refusal = enter_code(mailed(), "1234 5678", NOW_MS + MAIL_CODE_MS - 1)
        assert refusal is None
        assert (after.state, after.address, after.mailed) == (SignInState.PROVEN, ALICE.address, None)

    def test_it_works_once(self):
        _, again = enter_code(proven(), CODE, NOW_MS)
        assert code_of(again) is BrokerCode.EXPIRED_TOKEN

    def test_five_wrong_ones_end_the_sign_in(self):
        sign_in, said = mailed(), []
        for _ in range(5):
            sign_in, refusal = enter_code(sign_in, "87654321", NOW_MS)
            said.append(refusal)
        assert [each.code for each in said] == [BrokerCode.CODE_WRONG] * 4 + [BrokerCode.ACCESS_DENIED]
        assert "4 more times" in said[0].detail
        assert "once more" in said[3].detail
        _, late = enter_code(sign_in, CODE, NOW_MS)
        assert code_of(late) is BrokerCode.ACCESS_DENIED

    def test_a_code_has_its_time(self):
        _, refusal = enter_code(mailed(), CODE, NOW_MS + MAIL_CODE_MS)
        assert code_of(refusal) is BrokerCode.CODE_WRONG
        late = mailed(now_ms=WAITING.expires_ms - 1)
        assert late.mailed.expires_ms == WAITING.expires_ms

    def test_none_was_mailed(self):
        _, refusal = enter_code(WAITING, CODE, NOW_MS)
        assert code_of(refusal) is BrokerCode.CODE_WRONG

    def test_a_newer_one_takes_the_place_of_the_older(self):
        newer = mail_code(mailed(), "bob@example.org", "00000000", NOW_MS)
        _, refusal = enter_code(newer, CODE, NOW_MS)
        assert code_of(refusal) is BrokerCode.CODE_WRONG
        after, _ = enter_code(newer, "00000000", NOW_MS)
        assert after.address == "bob@example.org"

    def test_three_mails_are_enough(self):
        sign_in = mailed(mailed(mailed()))
        assert code_of(mail_code(sign_in, ALICE.address, CODE, NOW_MS)) is BrokerCode.RATE_LIMITED

    def test_a_device_that_wants_one_address_is_signed_in_under_no_other(self):
        wanting = replace(WAITING, wanted=ALICE.address)
        assert mailed(wanting).mailed.address == ALICE.address
        other = "eve@example.org"
        assert code_of(mail_code(wanting, other, CODE, NOW_MS)) is BrokerCode.ADDRESS_MISMATCH
        after, leg = back(wanting)
        assert code_of(vouch(after, leg, other, NOW_MS)) is BrokerCode.ADDRESS_MISMATCH
        assert vouched(wanting).leg.vouched == ALICE.address

    def test_nothing_goes_on_after_the_end(self):
        for ended, code in ((deny(WAITING), "access_denied"), (proven(), "expired_token")):
            assert code_of(mail_code(ended, ALICE.address, CODE, NOW_MS)) == code
            assert code_of(lead(ended, LEG, NOW_MS)) == code
            assert code_of(come_back(ended, LEG.binding, NOW_MS)) == code
            assert code_of(vouch(ended, LEG, ALICE.address, NOW_MS)) == code
            assert code_of(prove(ended, LEG.binding, NOW_MS)) == code
        assert code_of(mail_code(WAITING, ALICE.address, CODE, WAITING.expires_ms)) == "expired_token"


class TestTheWayToAProvider:
    def test_it_ends_with_a_yes_to_the_address_that_was_vouched_for(self):
        after = prove(vouched(), LEG.binding, NOW_MS)
        assert (after.state, after.address, after.leg) == (SignInState.PROVEN, ALICE.address, None)

    def test_an_answer_counts_once(self):
        after, leg = back()
        assert (after.leg.state, leg) == (None, LEG)
        assert code_of(come_back(after, LEG.binding, NOW_MS)) is BrokerCode.EXPIRED_TOKEN

    def test_nobody_was_sent_there(self):
        assert code_of(come_back(WAITING, LEG.binding, NOW_MS)) is BrokerCode.EXPIRED_TOKEN
        assert code_of(prove(WAITING, LEG.binding, NOW_MS)) is BrokerCode.ACCESS_DENIED

    @pytest.mark.parametrize("binding", ["", "c", "\udcff"])
    def test_another_browser_neither_comes_back_nor_says_yes(self, binding):
        led = lead(WAITING, LEG, NOW_MS)
        assert code_of(come_back(led, binding, NOW_MS)) is BrokerCode.BROWSER_REFUSED
        assert code_of(prove(vouched(), binding, NOW_MS)) is BrokerCode.BROWSER_REFUSED

    def test_nothing_is_proven_before_the_provider_has_spoken(self):
        after, _ = back()
        assert code_of(prove(after, LEG.binding, NOW_MS)) is BrokerCode.ACCESS_DENIED

    def test_a_word_about_an_older_way_is_none_about_a_newer(self):
        after, leg = back()
        newer = ProviderLeg(state=None, nonce="m", verifier="v", binding="b")
        assert code_of(vouch(lead(after, newer, NOW_MS), leg, ALICE.address, NOW_MS)) == "expired_token"
