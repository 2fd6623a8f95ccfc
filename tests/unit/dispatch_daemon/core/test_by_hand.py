"""A human does it: the author is told so, nothing claims a wall, and the words that come back are signed."""

import pytest

from dispatch_daemon.core import by_hand
from dispatch_daemon.core.effects import Effect, Plan, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord, RunRecord
from dispatch_daemon.core.siblings import ALONE
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType
from dispatch_protocol.messages.result import Result
from dispatch_protocol.scopes import Returns
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, SCOPES, puts, received, run, sends, sent
from tests.support.documents import NOW_MS, digest

ARTIFACT: dict[str, JSON] = {
    "name": "a.txt",
    "kind": "file",
    "mime_type": "text/plain",
    "size_bytes": 3,
    "sha256": digest("a").hex,
}


def taken() -> tuple[DispatchRecord, RunRecord, list[Effect]]:
    doing, effects = by_hand.accept(received(), BOB_OWN, ALICE_PEER, MOMENT, scopes=SCOPES, shared=ALONE)
    return puts(effects, DispatchRecord)[-1], doing, effects


def test_accepted_by_hand_it_is_under_way_and_both_sides_know_how() -> None:
    record, doing, effects = taken()
    assert puts(effects, RunRecord) == [doing]
    assert (doing.state, doing.agent, doing.cwd, doing.confinement) == (
        RunState.RUNNING,
        "by_hand",
        None,
        None,
    )
    assert by_hand.is_by_hand(doing)
    assert not by_hand.is_by_hand(run())
    assert (record.state, record.accepted_decisions, record.answer_seq) == (DispatchState.ACCEPTED, 1, 2)
    decision, started = sends(effects)
    assert isinstance(decision, Decision)
    assert decision.mode is Mode.BY_HAND
    assert isinstance(started, Receipt)
    assert (started.type, started.data) == (ReceiptType.STARTED, {"agent": "by_hand"})
    assert started.head.nonce != decision.head.nonce
    assert [effect.kind for effect in effects if isinstance(effect, Plan)] == [TaskKind.HEARTBEAT]
    assert Unplan(TaskKind.EXPIRE, record.digest) in effects


def test_what_is_not_pending_here_is_not_taken_by_hand() -> None:
    with pytest.raises(ServiceError) as raised:
        by_hand.accept(
            received(DispatchState.DECLINED), BOB_OWN, ALICE_PEER, MOMENT, scopes=SCOPES, shared=ALONE
        )
    assert raised.value.code == "not_pending"


def test_completed_it_returns_the_humans_words_and_files() -> None:
    record, doing, _ = taken()
    effects = by_hand.complete(
        record,
        doing,
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        text="It was the cable.",
        artifacts=[ARTIFACT],
        returns=Returns.RESULT,
    )
    (result,) = sends(effects)
    assert isinstance(result, Result)
    assert (result.outcome, result.summary, result.agent) == (Outcome.SUCCESS, "It was the cable.", "by_hand")
    assert [artifact.name for artifact in result.artifacts] == ["a.txt"]
    assert (result.confinement, result.started_ms) == (None, NOW_MS)
    over = puts(effects, RunRecord)[-1]
    assert over.state is RunState.COMPLETED


def test_completed_under_status_it_returns_that_it_was_done_and_no_word_more() -> None:
    record, doing, _ = taken()
    effects = by_hand.complete(
        record,
        doing,
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        text="secret",
        artifacts=[ARTIFACT],
        returns=Returns.STATUS,
    )
    (result,) = sends(effects)
    assert isinstance(result, Result)
    assert (result.summary, result.artifacts) == ("", ())


def test_only_what_a_human_does_here_is_completed() -> None:
    record, doing, _ = taken()
    assert by_hand.require_by_hand(record, doing) is doing
    for other, with_run, code in (
        (sent(DispatchState.ACCEPTED), doing, "wrong_party"),
        (record, None, "not_pending"),
        (record, run(), "not_pending"),
        (record, run(RunState.COMPLETED, agent="by_hand"), "not_pending"),
    ):
        with pytest.raises(ServiceError) as raised:
            by_hand.require_by_hand(other, with_run)
        assert raised.value.code == code
