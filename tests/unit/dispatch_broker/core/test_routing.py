from dataclasses import replace

import pytest

from dispatch_broker.core.effects import CountTask, PutEnvelope, Wake
from dispatch_broker.core.quota import Quotas, Usage
from dispatch_broker.core.records import EdgeStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_broker.core.routing import Deposit, Mailbox, Tally, admit
from dispatch_protocol.envelope import EnvelopeClass
from dispatch_protocol.keys import EdgeId
from tests.support.broker_facts import (
    ALICE,
    ALICE_DEVICE,
    BOB,
    BOB_DEVICE,
    CAROL,
    CAROL_DEVICE,
    DAY_MS,
    EDGE_ID,
    HOUR_MS,
    NOW_MS,
    device,
    digest,
    edge,
    header,
)

EMPTY = Mailbox(BOB_DEVICE, BOB.genesis, Usage(0, 0), None)
QUOTAS = Quotas(deposited=Usage(100, 100_000), waiting=Usage(200, 200_000))


def deposit(**changes):
    """A task of Alice's for Bob that passes, but for `changes`."""
    facts = Deposit(
        raw=b"envelope",
        header=header(),
        depositor=ALICE,
        device=ALICE_DEVICE,
        edge=edge(),
        mailboxes=(EMPTY,),
        deposited=Usage(0, 0),
        tally=Tally(tasks=0, counted=False),
    )
    return replace(facts, **changes)


def refusal(**changes):
    decision = admit(deposit(**changes), QUOTAS, NOW_MS)
    assert isinstance(decision, Refusal)
    return decision.code


def stored(devices=(BOB_DEVICE,)):
    return PutEnvelope(
        raw=b"envelope",
        digest=digest("task"),
        depositor=ALICE.genesis,
        devices=devices,
        ttl_ms=NOW_MS + HOUR_MS + DAY_MS,
    )


class TestPassing:
    def test_a_task_is_counted_stored_and_its_device_woken(self):
        assert admit(deposit(), QUOTAS, NOW_MS) == (
            CountTask(EDGE_ID, digest("task"), NOW_MS),
            stored(),
            Wake(BOB_DEVICE),
        )

    def test_one_deposit_is_for_every_listed_device(self):
        tablet = device("bob's tablet")
        devices = tuple(sorted((BOB_DEVICE, tablet)))
        boxes = tuple(Mailbox(one, BOB.genesis, Usage(0, 0), None) for one in devices)
        decision = admit(deposit(header=header(devices=devices), mailboxes=boxes), QUOTAS, NOW_MS)
        assert decision[1:] == (stored(devices), *(Wake(one) for one in devices))

    def test_a_repeated_deposit_passes_and_stores_nothing(self):
        again = deposit(
            mailboxes=(replace(EMPTY, holds_from=ALICE.genesis),), tally=Tally(tasks=50, counted=True)
        )
        assert admit(again, QUOTAS, NOW_MS) == ()

    def test_a_repeat_that_was_acknowledged_meanwhile_is_stored_again_but_not_counted(self):
        again = deposit(tally=Tally(tasks=50, counted=True))
        assert admit(again, QUOTAS, NOW_MS) == (stored(), Wake(BOB_DEVICE))

    @pytest.mark.parametrize("status", list(EdgeStatus))
    @pytest.mark.parametrize("klass", [EnvelopeClass.FOLLOW_ON, EnvelopeClass.ANSWER, EnvelopeClass.TRUST])
    def test_what_follows_passes_whatever_the_status_and_is_not_counted(self, klass, status):
        decision = admit(deposit(header=header(klass=klass), edge=edge(status)), QUOTAS, NOW_MS)
        assert decision == (stored(), Wake(BOB_DEVICE))

    def test_answers_pass_against_the_direction_of_the_edge(self):
        box = Mailbox(ALICE_DEVICE, ALICE.genesis, Usage(0, 0), None)
        reply = header(
            klass=EnvelopeClass.ANSWER, sender=BOB_DEVICE, to=ALICE.genesis, devices=(ALICE_DEVICE,)
        )
        decision = admit(
            deposit(header=reply, depositor=BOB, device=BOB_DEVICE, mailboxes=(box,)), QUOTAS, NOW_MS
        )
        assert decision[-1] == Wake(ALICE_DEVICE)


class TestTrust:
    def test_without_an_edge_nothing_passes(self):
        assert refusal(edge=None) is BrokerCode.NO_EDGE

    @pytest.mark.parametrize("klass", list(EnvelopeClass))
    def test_somebody_elses_edge_carries_nothing(self, klass):
        stranger = header(klass=klass, sender=CAROL_DEVICE)
        assert refusal(header=stranger, depositor=CAROL, device=CAROL_DEVICE) is BrokerCode.NO_EDGE

    def test_an_edge_carries_nothing_to_a_third_person(self):
        assert refusal(header=header(to=CAROL.genesis)) is BrokerCode.NO_EDGE

    def test_nobody_sends_to_oneself_through_the_relay(self):
        own = header(to=ALICE.genesis, edge_id=EdgeId.SELF)
        assert refusal(header=own, edge=None) is BrokerCode.NO_EDGE
        assert refusal(header=header(to=ALICE.genesis)) is BrokerCode.NO_EDGE

    def test_a_task_does_not_pass_against_the_direction(self):
        back = header(sender=BOB_DEVICE, to=ALICE.genesis, devices=(ALICE_DEVICE,))
        box = Mailbox(ALICE_DEVICE, ALICE.genesis, Usage(0, 0), None)
        assert refusal(header=back, depositor=BOB, device=BOB_DEVICE, mailboxes=(box,)) is BrokerCode.NO_EDGE

    @pytest.mark.parametrize(
        "status,code",
        [(EdgeStatus.PENDING, BrokerCode.NO_EDGE), (EdgeStatus.REVOKED, BrokerCode.EDGE_REVOKED)],
    )
    def test_a_task_needs_an_active_edge(self, status, code):
        assert refusal(edge=edge(status)) is code

    def test_a_task_needs_an_edge_that_has_not_expired(self):
        assert refusal(edge=edge(expires_ms=NOW_MS)) is BrokerCode.EDGE_EXPIRED

    def test_a_device_deposits_only_what_it_signed_itself(self):
        assert refusal(device=CAROL_DEVICE) is BrokerCode.WRONG_DEVICE


class TestAddresses:
    @pytest.mark.parametrize("owner", [None, CAROL.genesis, ALICE.genesis])
    def test_listed_devices_belong_to_the_recipient(self, owner):
        assert refusal(mailboxes=(replace(EMPTY, owner=owner),)) is BrokerCode.DEVICE_UNKNOWN

    def test_nobody_squats_on_another_ones_digest(self):
        assert refusal(mailboxes=(replace(EMPTY, holds_from=CAROL.genesis),)) is BrokerCode.ID_COLLISION


class TestLimits:
    def test_the_daily_limit_counts_distinct_tasks(self):
        assert refusal(tally=Tally(tasks=50, counted=False)) is BrokerCode.DAILY_LIMIT
        assert admit(deposit(tally=Tally(tasks=49, counted=False)), QUOTAS, NOW_MS)

    def test_a_full_mailbox_refuses(self):
        full = replace(EMPTY, waiting=Usage(200, 0))
        assert refusal(mailboxes=(full,)) is BrokerCode.QUOTA

    def test_a_depositor_has_a_share_of_all_mailboxes(self):
        assert refusal(deposited=Usage(0, 100_000)) is BrokerCode.QUOTA

    def test_a_repeat_is_confirmed_even_when_everything_is_full(self):
        again = deposit(
            mailboxes=(replace(EMPTY, holds_from=ALICE.genesis, waiting=Usage(999, 0)),),
            tally=Tally(tasks=50, counted=True),
            deposited=Usage(999, 0),
        )
        assert admit(again, QUOTAS, NOW_MS) == ()


def test_the_devices_of_one_identity_speak_of_trust_without_an_edge():
    own = Mailbox(device("tablet"), ALICE.genesis, Usage(0, 0), None)
    household = {
        "edge": None,
        "mailboxes": (own,),
        "header": header(
            klass=EnvelopeClass.TRUST, edge_id=EdgeId.SELF, to=ALICE.genesis, devices=(own.device,)
        ),
    }
    assert admit(deposit(**household), QUOTAS, NOW_MS)[0].devices == (own.device,)
    for wrong in ({"klass": EnvelopeClass.TASK}, {"edge": EDGE_ID}, {"to_genesis": BOB.genesis}):
        changed = replace(household["header"], **wrong)
        assert refusal(**{**household, "header": changed}) is BrokerCode.NO_EDGE
