"""A log is what its checkpoints say, in order; two that contradict each other are told, and so is what was left out."""

from typing import Any

import pytest

from dispatch_daemon.core import auditing
from dispatch_daemon.core.auditing import Examined, Finding, examine
from dispatch_daemon.core.composing import send_of
from dispatch_daemon.core.effects import Put, Send
from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.messages.answers import Decision, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, edge
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, digest, head

ONE, TWO, THREE = (digest(name) for name in ("one", "two", "three"))
OTHER = digest("another")


def checkpoint(
    since: int, *entries: Digest, before: tuple[Digest, ...] = (), at_ms: int = NOW_MS
) -> Checkpoint:
    """A checkpoint of a log that has `before` before its entries."""
    return Checkpoint(
        head=head(BOB, ALICE, created_ms=at_ms),
        since=since,
        entries=entries,
        root=EMPTY.grown((*before, *entries)).root,
    )


def found(
    *checkpoints: Checkpoint,
    held: dict[Digest, tuple[str, int]] | None = None,
    now_ms: int = NOW_MS + 2,
    flooded: bool = False,
) -> Examined:
    named = {digest(f"checkpoint {number}"): each for number, each in enumerate(checkpoints)}
    known = dict.fromkeys((ONE, TWO, THREE), ("result", NOW_MS))
    return examine(named, known if held is None else held, now_ms, flooded=flooded)


FIRST, SECOND = checkpoint(0, ONE), checkpoint(1, TWO, THREE, before=(ONE,))
WHOLE = checkpoint(0, ONE, TWO, THREE)


def test_a_log_is_followed_in_whatever_order_its_checkpoints_came() -> None:
    for told in ((FIRST, SECOND), (SECOND, FIRST), (FIRST, WHOLE, SECOND), (WHOLE, FIRST), (WHOLE, SECOND)):
        log = found(*told)
        assert (log.finding, log.tree) == (Finding.CONSISTENT, EMPTY.grown((ONE, TWO, THREE)))
    assert found(held={}).tree == EMPTY
    repeated = checkpoint(1, TWO, before=(ONE,))
    assert found(WHOLE, repeated).finding is Finding.CONSISTENT
    assert found(WHOLE, checkpoint(1, TWO, before=(OTHER,))).finding is Finding.REWRITTEN


@pytest.mark.parametrize(
    "rewriting",
    [
        checkpoint(0, OTHER),
        checkpoint(0, ONE, OTHER),
        checkpoint(1, OTHER, before=(ONE,)),
        checkpoint(2, THREE, before=(OTHER, TWO)),
        checkpoint(3, OTHER, before=(OTHER, TWO, THREE)),
        checkpoint(1, TWO, before=(OTHER,)),
        checkpoint(0, ONE, TWO, THREE, OTHER, before=(OTHER,)),
    ],
)
def test_whoever_tells_another_history_has_signed_both(rewriting: Checkpoint) -> None:
    log = found(FIRST, SECOND, rewriting)
    assert log.finding is Finding.REWRITTEN
    assert len(log.contradictions) == 1


def test_what_is_not_there_yet_is_no_proof_of_anything() -> None:
    log = found(FIRST, SECOND, held={ONE: ("result", NOW_MS)})
    assert (log.finding, log.unseen) == (Finding.UNSEEN, (TWO, THREE))
    gap = found(SECOND, held={})
    assert (gap.finding, gap.gap, gap.tree) == (Finding.UNSEEN, True, EMPTY)


def test_a_last_word_older_than_the_newest_checkpoint_stands_in_the_log_or_was_left_out() -> None:
    later = checkpoint(0, ONE, at_ms=NOW_MS + 1)
    held = {ONE: ("result", NOW_MS), OTHER: ("result", NOW_MS)}
    assert (found(later, held=held).finding, found(later, held=held).left_out) == (Finding.LEFT_OUT, (OTHER,))
    assert found(FIRST, held=held).finding is Finding.CONSISTENT, "its checkpoint may be on its way"
    refused = held | {OTHER: ("refused", NOW_MS)}
    assert found(later, held=refused).finding is Finding.CONSISTENT, "a flood is refused without being kept"


def test_what_no_checkpoint_has_followed_for_a_day_is_in_no_log() -> None:
    held = {ONE: ("result", NOW_MS), OTHER: ("refused", NOW_MS)}
    late_ms = NOW_MS + 86_400_001
    assert found(held=held).finding is Finding.CONSISTENT, "it may be on its way"
    assert (found(held=held, now_ms=late_ms).finding, found(held=held, now_ms=late_ms).unlogged) == (
        Finding.UNLOGGED,
        (ONE,),
    )
    assert found(FIRST, held=held, now_ms=late_ms).finding is Finding.CONSISTENT
    assert found(SECOND, held=held, now_ms=late_ms).finding is Finding.UNSEEN, (
        "what fills the gap may hold it"
    )


def test_more_checkpoints_than_anybody_keeps_are_said_to_be_that() -> None:
    assert found(FIRST, flooded=True).finding is Finding.FLOODED
    assert found(FIRST, checkpoint(0, OTHER), flooded=True).finding is Finding.REWRITTEN


def said(verdict: Verdict | None, *, deliver: bool = True) -> Send:
    about = {"head": head(BOB, ALICE, re=digest("dispatch")), "seq": 1, "prev": Digest.ZERO}
    message: Any = (
        Receipt(**about, type=ReceiptType.DELIVERED)
        if verdict is None
        else Decision(**about, decision=verdict)
    )
    return send_of(message, deliver=deliver, keep=True)


def test_only_a_last_word_to_somebody_else_is_entered() -> None:
    last = said(Verdict.DECLINED)
    effects = [Put(edge()), said(None), said(Verdict.DECLINED, deliver=False), last]
    assert auditing.last_words(effects) == {EDGE.hex: [last]}


def test_a_checkpoint_goes_on_from_the_log_and_is_its_memory() -> None:
    last, log = said(Verdict.DECLINED), EMPTY.grown((ONE,))
    send = auditing.told(BOB_OWN, ALICE_PEER, EDGE.hex, log, [last], MOMENT, 0)
    message = decode_body(Kind.CHECKPOINT, send.body)
    assert isinstance(message, Checkpoint)
    entry = Digest.from_hex(last.digest)
    assert (message.since, message.entries, message.root) == (1, (entry,), log.grown((entry,)).root)
    assert send.deliver
    assert send.keep is not None
    assert (send.keep.about, send.keep.kind, send.keep.seq) == (EDGE.hex, "checkpoint", 2)
    row = auditing.kept(message, "ab" * 32, b"signed", NOW_MS)
    assert (row.about, row.device, row.seq, row.type) == (EDGE.hex, BOB.device.hex, 2, "checkpoint")
