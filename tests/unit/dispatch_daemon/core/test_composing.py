"""What this device says is chained, named and complete before the key is touched."""

from dataclasses import replace
from uuid import UUID

import pytest

from dispatch_daemon.core.composing import Own, Peer, answer, answer_type, has_files, head_of, send_of
from dispatch_daemon.core.effects import Put, Send
from dispatch_daemon.core.records import DispatchRecord
from dispatch_protocol.head import Head
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.answers import Answer, Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.files import Artifact, Attachment, Blob
from dispatch_protocol.messages.follow_on import Ack, Cancel
from dispatch_protocol.messages.result import Result
from dispatch_protocol.scopes import Returns
from dispatch_protocol.signing import Signed
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, at, own_job, puts, received, sends, signed
from tests.support.documents import ALICE, BOB, NOW_MS, RUN, digest, fixed, task


def delivered(head: Head, seq: int, prev: Digest) -> Answer:
    return Receipt(head=head, seq=seq, prev=prev, type=ReceiptType.DELIVERED)


def test_own_is_named_by_its_chain() -> None:
    assert BOB_OWN.genesis == BOB.chain.genesis.hex
    assert BOB_OWN.party == BOB.party
    assert Peer(ALICE.chain.genesis, ALICE.chain.head).recipient == ALICE.recipient


def test_moment_draws_as_many_different_values_as_are_needed() -> None:
    assert len({MOMENT.nonce(n) for n in range(9)} | {MOMENT.nonce()}) == 9
    assert {len(MOMENT.nonce(n)) for n in range(3)} == {16}
    assert MOMENT.uuid() != MOMENT.uuid(1)
    assert len(MOMENT.secret()) == 32
    assert MOMENT.nonce() not in (MOMENT.secret()[:16], MOMENT.secret()[16:])
    assert MOMENT.uuid().version == 4
    assert at(1).nonce() != at(2).nonce()


def test_answers_form_a_chain_by_digest() -> None:
    record = received()
    first, effects = answer(record, BOB_OWN, ALICE_PEER, now_ms=NOW_MS, nonce=fixed("a", 16), make=delivered)
    second, more = answer(first, BOB_OWN, ALICE_PEER, now_ms=NOW_MS, nonce=fixed("b", 16), make=delivered)
    (one,), (two,) = sends(effects), sends(more)
    assert isinstance(one, Receipt)
    assert isinstance(two, Receipt)
    assert (one.seq, one.prev, two.seq) == (1, Digest.ZERO, 2)
    assert two.prev == signed(one, BOB).digest
    assert one.head.re == Digest.from_hex(record.digest)
    assert (second.answer_seq, second.answer_head) == (2, signed(two, BOB).digest.hex)
    assert puts(effects, DispatchRecord) == [first]


def test_send_is_what_will_be_signed() -> None:
    _, effects = answer(received(), BOB_OWN, ALICE_PEER, now_ms=NOW_MS, nonce=fixed("a", 16), make=delivered)
    (send,) = [effect for effect in effects if isinstance(effect, Send)]
    (message,) = sends(effects)
    document: Signed = signed(message, BOB)
    assert (send.digest, send.body, send.to) == (document.digest.hex, document.body, ALICE.chain.genesis.hex)
    assert send.deliver
    assert send.keep is not None
    assert (send.keep.type, send.keep.seq, send.keep.about) == ("delivered", 1, received().digest)


def test_answer_to_oneself_is_signed_and_kept_but_not_sent() -> None:
    own = Own(BOB.chain, BOB.device, None)
    peer = Peer(BOB.chain.genesis, BOB.chain.head)
    _, effects = answer(own_job(), own, peer, now_ms=NOW_MS, nonce=fixed("a", 16), make=delivered)
    (send,) = [effect for effect in effects if isinstance(effect, Send)]
    assert not send.deliver
    assert any(isinstance(effect, Put) for effect in effects)


@pytest.mark.parametrize("about", [None, "00" * 31 + "01"])
def test_document_that_concerns_no_dispatch_says_so(about: str | None) -> None:
    head = head_of(
        BOB_OWN,
        ALICE_PEER,
        edge=received().edge,
        about=about,
        now_ms=NOW_MS,
        nonce=fixed("a", 16),
        expires_ms=5,
    )
    assert head.re.hex == (about or "00" * 32)
    assert head.expires_ms == 5


def test_statement_is_named_in_one_word() -> None:
    record = received()
    head = head_of(
        BOB_OWN, ALICE_PEER, edge=record.edge, about=record.digest, now_ms=NOW_MS, nonce=fixed("a", 16)
    )
    yes = Decision(
        head=head,
        seq=1,
        prev=Digest.ZERO,
        decision=Verdict.ACCEPTED,
        mode=Mode.MANUAL,
        run_id=UUID(int=RUN.int),
    )
    assert answer_type(yes) == "accepted"
    assert answer_type(delivered(head, 1, Digest.ZERO)) == "delivered"
    assert answer_type(Cancel(head=head)) == "cancel"
    over = Result(
        head=head,
        seq=2,
        prev=Digest.ZERO,
        run_id=RUN,
        outcome=Outcome.SUCCESS,
        summary="",
        returns=Returns.STATUS,
        agent="steps",
        started_ms=NOW_MS,
        ended_ms=NOW_MS,
    )
    assert answer_type(over) == "result"
    made = Artifact(name="a", kind="file", mime_type="text/plain", size_bytes=1, sha256=digest("a"))
    assert not has_files(over)
    assert not has_files(replace(over, artifacts=(made,)))
    assert has_files(replace(over, artifacts=(replace(made, blob=Blob(digest("b"), fixed("k"))),)))
    ack = send_of(Ack(head=head, device=BOB.device, seq=3), deliver=True, keep=False)
    assert ack.keep is None
    assert not ack.files
    attached = Attachment("a", 1, digest("a"), Blob(digest("b"), fixed("k")))
    assert send_of(task(attachments=(attached,)), deliver=True, keep=False).files
    assert not send_of(task(), deliver=True, keep=False).files
