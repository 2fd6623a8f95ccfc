"""Two machines compare, message by message; nothing that arrives makes a machine say more than once what it was bound to."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from dispatch_daemon.core import comparing
from dispatch_daemon.core.comparing import LIFE_MS, Between, ComparisonState
from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Put, Send
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.trust_records import ComparisonRecord, ContactRecord, Judgement, Trust
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.comparing import Comparison, Reveal
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import kind_of
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, Person, digest, fixed, reveal


@dataclass
class Machine:
    """One side's record, moved by the core alone."""

    person: Person
    peer: Person
    record: ComparisonRecord | None = None
    epoch: int = 0
    at_ms: int = NOW_MS

    @property
    def between(self) -> Between:
        own = Own(self.person.chain, self.person.device, self.person.email.upper())
        peer = Peer(self.peer.chain.genesis, self.peer.chain.head)
        return Between(own, peer, self.peer.email, self.epoch, EDGE.hex)

    @property
    def moment(self) -> Moment:
        self.at_ms += 1
        return Moment(self.at_ms, fixed(f"{self.person.name} {self.at_ms}"))

    @property
    def state(self) -> ComparisonState:
        return comparing.state(self.record, self.epoch, self.at_ms)

    @property
    def words(self) -> tuple[str, ...] | None:
        return comparing.shared_words(self.record, self.person.chain.genesis)

    def did(self, effects: list[Effect]) -> list[Send]:
        for effect in effects:
            if isinstance(effect, Put) and isinstance(effect.record, ComparisonRecord):
                self.record = effect.record
        return [effect for effect in effects if isinstance(effect, Send)]

    def ask(self, *, anew: bool = False) -> list[Send]:
        return self.did(comparing.asked(self.record, self.between, self.moment, anew=anew))

    def hear(self, *sends: Send) -> list[Send]:
        said: list[Send] = []
        for send in sends:
            kind = kind_of(send.payload_type)
            assert kind is not None
            match decode_body(kind, send.body):
                case Comparison() as message:
                    known = Digest.from_hex(send.digest)
                    effects = comparing.arrived(self.record, message, known, self.between, self.moment)
                case Reveal() as message:
                    effects = comparing.revealed(self.record, message)
                case other:
                    raise AssertionError(other)
            said += self.did(effects)
        return said

    def judge(self, *, same: bool) -> ContactRecord | None:
        contact = ContactRecord(
            genesis=self.peer.chain.genesis.hex,
            address=self.peer.email,
            trust=Trust.TOKEN,
            chain=(),
            pinned_ms=NOW_MS,
        )
        effects = comparing.judged(self.record, contact, self.epoch, self.at_ms, same=same)
        self.did(effects)
        known = [effect.record for effect in effects if isinstance(effect, Put)]
        return next((each for each in known if isinstance(each, ContactRecord)), None)


@pytest.fixture
def alice() -> Machine:
    return Machine(ALICE, BOB)


@pytest.fixture
def bob() -> Machine:
    return Machine(BOB, ALICE)


def kinds(sends: list[Send]) -> list[str]:
    return [str(kind_of(send.payload_type)) for send in sends]


def compare(alice: Machine, bob: Machine) -> None:
    bob.hear(*alice.ask())
    alice_said = alice.hear(*bob.ask())
    bob.hear(*alice_said)


class TestBothWantTo:
    def test_first_one_commits_and_second_one_is_bound_before_it_reveals(
        self, alice: Machine, bob: Machine
    ) -> None:
        assert alice.state is ComparisonState.NONE
        asked = alice.ask()
        assert (kinds(asked), alice.state, alice.words) == (["comparison"], ComparisonState.ASKED, None)
        assert (bob.hear(*asked), bob.state, bob.words) == ([], ComparisonState.WANTED, None)
        answered = bob.ask()
        assert (kinds(answered), bob.state) == (["comparison", "reveal"], ComparisonState.ASKED)
        revealed = alice.hear(*answered)
        assert (kinds(revealed), alice.state) == (["reveal"], ComparisonState.WORDS)
        assert (bob.hear(*revealed), bob.state) == ([], ComparisonState.WORDS)
        assert alice.words == bob.words is not None

    def test_both_begin_at_the_same_time(self, alice: Machine, bob: Machine) -> None:
        from_alice, from_bob = alice.ask(), bob.ask()
        to_alice, to_bob = bob.hear(*from_alice), alice.hear(*from_bob)
        assert kinds(to_alice) == kinds(to_bob) == ["reveal"]
        assert alice.hear(*to_alice) == bob.hear(*to_bob) == []
        assert alice.words == bob.words is not None

    def test_reveal_that_overtakes_its_comparison_waits_for_it(self, alice: Machine, bob: Machine) -> None:
        bob.hear(*alice.ask())
        comparison, revealed = bob.ask()
        assert alice.hear(revealed) == []
        assert (alice.state, alice.words) == (ComparisonState.ASKED, None)
        bob.hear(*alice.hear(comparison))
        assert alice.words == bob.words is not None

    def test_what_was_lost_is_sent_again_and_changes_nothing_where_it_was_not(
        self, alice: Machine, bob: Machine
    ) -> None:
        first, again = alice.ask(), alice.ask()
        assert [each.digest for each in first] == [each.digest for each in again]
        bob.hear(*again, *first)
        bob.ask()  # lost
        second = bob.ask()
        assert kinds(second) == ["comparison", "reveal"]
        bob.hear(*alice.hear(*second, *second))
        assert alice.words == bob.words is not None
        seen = alice.words
        assert kinds(alice.ask()) == ["comparison", "reveal"]
        alice.hear(*bob.ask())
        assert (alice.words, alice.state) == (seen, ComparisonState.WORDS)


class TestJudging:
    def test_same_words_make_a_contact_compared(self, alice: Machine, bob: Machine) -> None:
        compare(alice, bob)
        contact = alice.judge(same=True)
        assert contact is not None
        assert (contact.trust, contact.known_before, contact.compared_ms) == (
            Trust.COMPARED,
            Trust.TOKEN,
            alice.at_ms,
        )
        assert (alice.state, bob.state) == (ComparisonState.SAME, ComparisonState.WORDS)

    def test_other_words_make_nothing_better_and_may_be_taken_back(
        self, alice: Machine, bob: Machine
    ) -> None:
        compare(alice, bob)
        assert alice.judge(same=False) is None
        assert alice.state is ComparisonState.DIFFERENT
        assert alice.judge(same=True) is not None

    def test_before_there_are_words_nothing_can_be_said(self, alice: Machine, bob: Machine) -> None:
        for moment in (lambda: None, alice.ask, lambda: alice.hear(*bob.ask()[:1])):
            moment()
            with pytest.raises(ServiceError) as raised:
                alice.judge(same=True)
            assert raised.value.code == "no_comparison"

    def test_judgement_outlives_the_week_and_words_do_not(self, alice: Machine, bob: Machine) -> None:
        compare(alice, bob)
        alice.judge(same=True)
        alice.at_ms += LIFE_MS
        bob.at_ms += LIFE_MS
        assert (alice.state, bob.state) == (ComparisonState.SAME, ComparisonState.NONE)
        with pytest.raises(ServiceError):
            bob.judge(same=True)
        assert kinds(bob.ask()) == ["comparison"]

    def test_recovery_makes_every_comparison_void(self, alice: Machine, bob: Machine) -> None:
        compare(alice, bob)
        alice.judge(same=True)
        alice.epoch = 1
        assert alice.state is ComparisonState.NONE
        with pytest.raises(ServiceError):
            alice.judge(same=True)
        assert kinds(alice.ask()) == ["comparison"]
        assert alice.record is not None
        assert alice.record.judgement is None


class TestHostile:
    def test_second_comparison_learns_nothing_of_bytes_that_are_known(
        self, alice: Machine, bob: Machine
    ) -> None:
        """Whoever sits at Bob's place has Alice's bytes now; a commitment made after that must not count with them."""
        compare(alice, bob)
        known = alice.record
        assert known is not None
        assert alice.hear(*bob.ask(anew=True)) == []  # not revealed anew
        assert (alice.state, alice.words) == (ComparisonState.WANTED, None)
        assert alice.record is not None
        assert alice.record.random is None
        alice.ask()
        assert alice.record.random != known.random

    def test_bytes_are_revealed_to_the_first_comparison_alone(self, alice: Machine, bob: Machine) -> None:
        alice.ask()
        assert kinds(alice.hear(bob.ask()[0])) == ["reveal"]
        assert alice.hear(*bob.ask(anew=True)) == []
        assert alice.state is ComparisonState.WANTED

    def test_beginning_anew_draws_other_bytes_and_keeps_no_bound_comparison(
        self, alice: Machine, bob: Machine
    ) -> None:
        compare(alice, bob)
        known = alice.record
        assert kinds(alice.ask(anew=True)) == ["comparison"]
        assert known is not None
        assert alice.record is not None
        assert (alice.record.theirs, alice.record.random == known.random) == (None, False)

    def test_old_comparison_told_again_begins_nothing(self, alice: Machine, bob: Machine) -> None:
        old = bob.ask()
        compare(alice, bob)
        alice.hear(*old)
        assert alice.state is ComparisonState.WORDS
        alice.hear(*bob.ask(anew=True))
        newest = alice.record
        alice.hear(*old)
        assert alice.record == newest

    def test_reveal_that_does_not_fit_changes_nothing(self, alice: Machine, bob: Machine) -> None:
        bob.hear(*alice.ask())
        comparison, revealed = bob.ask()
        alice.hear(comparison)
        held = alice.record
        assert held is not None
        right: dict[str, Any] = {
            "mine": Digest.from_hex(comparison.digest),
            "yours": Digest.from_hex(held.mine or ""),
            "random": bob.record.random if bob.record else b"",
        }
        for wrong in (
            {"mine": digest("another")},
            {"yours": digest("another")},
            {"random": fixed("chosen after Alice's were known")},
        ):
            assert comparing.revealed(held, reveal(BOB, ALICE, **right | wrong)) == []
        assert comparing.revealed(None, reveal(BOB, ALICE, **right)) == []
        alice.hear(revealed)
        assert alice.state is ComparisonState.WORDS
        assert comparing.revealed(alice.record, reveal(BOB, ALICE, **right)) == []

    def test_early_reveal_of_other_bytes_is_forgotten(self, alice: Machine, bob: Machine) -> None:
        bob.hear(*alice.ask())
        comparison, revealed = bob.ask()
        assert alice.record is not None
        yours = Digest.from_hex(alice.record.mine or "")
        alice.did(comparing.revealed(alice.record, reveal(BOB, ALICE, yours=yours)))
        alice.hear(comparison)
        assert (alice.record.early, alice.words) == (None, None)
        alice.hear(revealed)
        assert alice.state is ComparisonState.WORDS

    @pytest.mark.parametrize("wrong", [{"from_email": "eve@example.org"}, {"to_email": "eve@example.org"}])
    def test_other_addresses_than_are_known_here_are_refused(
        self, alice: Machine, bob: Machine, wrong: dict[str, str]
    ) -> None:
        (sent,) = bob.ask()
        message = decode_body(kind_of(sent.payload_type), sent.body)  # type: ignore[arg-type]  # of a known kind
        assert isinstance(message, Comparison)
        with pytest.raises(RefusedError) as raised:
            comparing.arrived(None, replace(message, **wrong), digest("it"), alice.between, alice.moment)
        assert raised.value.code == "comparison_mismatch"

    def test_own_commitment_sent_back_binds_nobody(self, alice: Machine, bob: Machine) -> None:
        """A mirror cannot reveal what it took from Alice: a commitment is its maker's alone."""
        (asked,) = alice.ask()
        ours = decode_body(kind_of(asked.payload_type), asked.body)  # type: ignore[arg-type]  # of a known kind
        (theirs,) = bob.ask()
        mirrored = decode_body(kind_of(theirs.payload_type), theirs.body)  # type: ignore[arg-type]  # the same
        assert isinstance(ours, Comparison)
        assert isinstance(mirrored, Comparison)
        mirrored = replace(mirrored, commitment=ours.commitment)
        alice.did(comparing.arrived(alice.record, mirrored, digest("it"), alice.between, alice.moment))
        record = alice.record
        assert record is not None
        answer = reveal(
            BOB, ALICE, mine=digest("it"), yours=Digest.from_hex(record.mine or ""), random=record.random
        )
        assert comparing.revealed(record, answer) == []


def test_words_need_both_halves(alice: Machine, bob: Machine) -> None:
    compare(alice, bob)
    record = alice.record
    assert record is not None
    for half in ("mine", "theirs", "random", "their_random"):
        assert comparing.shared_words(replace(record, **{half: None}), ALICE.chain.genesis) is None
    assert comparing.shared_words(None, ALICE.chain.genesis) is None
    assert replace(record, judgement=Judgement.SAME).judgement == ComparisonState.SAME
