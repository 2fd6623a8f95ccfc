"""The journal writes whole decisions, never goes back in time, and answers what the daemon asks of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.journal import Journal, JournalError
from dispatch_daemon.core.composing import answer
from dispatch_daemon.core.effects import (
    Effect,
    Note,
    Plan,
    Put,
    Resolve,
    Send,
    Settle,
    SettleAbout,
    StopRun,
    TaskKind,
    Unplan,
)
from dispatch_daemon.core.records import AnswerRecord, ApprovalState, Box, DispatchRecord
from dispatch_daemon.core.trust_records import Direction
from dispatch_protocol.lifecycle import DispatchState, RunState
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.trace import EventType
from tests.support.desk import ALICE_PEER, BOB_OWN, approval, edge, own_job, received, run, sent
from tests.support.documents import ALICE, NOW_MS, fixed, task

OTHER_EDGE = "11" * 16
RECEIVED = received()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db", boot="boot/1")
    yield journal
    journal.database.close()


def write(journal: Journal, *effects: Effect, now_ms: int = NOW_MS) -> None:
    signatures = {effect.digest: b"signed" for effect in effects if isinstance(effect, Send)}
    journal.write(effects, now_ms=now_ms, signatures=signatures)


def dispatch(number: int, **more: Any) -> DispatchRecord:
    """Return one of many dispatches."""
    return received(task=task(task=f"task {number}"), **{"arrived_ms": NOW_MS + number} | more)


def delivered(record: DispatchRecord = RECEIVED) -> tuple[DispatchRecord, list[Effect]]:
    """Return a record after its first receipt, and the effects that sign and owe it."""
    return answer(
        record,
        BOB_OWN,
        ALICE_PEER,
        now_ms=NOW_MS,
        nonce=fixed("n", 16),
        make=lambda head, seq, prev: Receipt(head=head, seq=seq, prev=prev, type=ReceiptType.DELIVERED),
    )


def send_of(effects: list[Effect]) -> Send:
    (send,) = [effect for effect in effects if isinstance(effect, Send)]
    return send


# -- time ----------------------------------------------------------------------------------------------


def test_journal_never_goes_back_in_time(journal: Journal, tmp_path: Path) -> None:
    assert journal.floor_ms == 0
    write(journal, now_ms=NOW_MS)
    write(journal, now_ms=NOW_MS - 1000)
    assert journal.floor_ms == NOW_MS
    journal.database.commit()
    again = Journal(tmp_path / "journal.db", boot="boot/2")
    assert again.floor_ms == NOW_MS
    again.database.close()


def test_what_was_remembered_and_taken_back_is_not_known(journal: Journal) -> None:
    journal.remember("broker", "one")
    journal.database.commit()
    assert journal.meta("broker") == "one"

    def change_our_mind() -> None:
        with journal.database.together():
            journal.remember("broker", "two")
            assert journal.meta("broker") == "two"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_our_mind()
    assert journal.meta("broker") == "one"


def test_what_the_disk_refused_is_not_known(journal: Journal) -> None:
    journal.remember("broker", "one")
    journal.database.commit()
    journal.database.write(
        "CREATE TABLE pointer (x TEXT REFERENCES meta (key) DEFERRABLE INITIALLY DEFERRED) STRICT"
    )
    journal.database.write("INSERT INTO pointer VALUES ('nowhere')")  # refused at the commit, and not before
    journal.remember("broker", "two")
    assert journal.meta("broker") == "two"
    with pytest.raises(JournalError):
        journal.database.commit()
    assert journal.meta("broker") == "one"


def test_a_batch_that_the_full_disk_took_is_not_known(journal: Journal) -> None:
    journal.remember("broker", "one")
    journal.database.commit()
    ((pages,),) = journal.database.read("PRAGMA page_count")
    journal.database.read(f"PRAGMA max_page_count = {pages + 1}")
    journal.remember("broker", "two")
    with pytest.raises(JournalError):
        journal.remember("large", "x" * 100_000)
    journal.database.commit()
    assert journal.meta("broker") == "one"


def test_floor_rises_with_the_decision_or_not_at_all(journal: Journal) -> None:
    bad = Send(payload_type="t", body=b"", digest="d", to="x", edge="e", about="", created_ms=0, expires_ms=0)
    with pytest.raises(KeyError):
        journal.write([Put(received()), bad], now_ms=NOW_MS, signatures={})
    assert journal.floor_ms == 0
    assert journal.dispatch(received().digest) is None


def test_remembered_values_are_json(journal: Journal) -> None:
    assert journal.meta("account") is None
    journal.remember("account", {"email": ALICE.email})
    journal.remember("account", {"email": ALICE.email, "broker": None})
    assert journal.meta("account") == {"email": ALICE.email, "broker": None}


# -- the trace -----------------------------------------------------------------------------------------


def test_notes_are_numbered_by_dispatch_in_the_order_they_come(journal: Journal) -> None:
    def note(digest: str, text: str) -> Note:
        return Note(digest, NOW_MS, EventType.MESSAGE, {"text": text}, "r")

    write(journal, note("a", "one"), note("b", "one"), note("a", "two"))
    write(journal, note("a", "three"))
    assert [(event.seq, event.data["text"]) for event in journal.events("a")] == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
    ]
    assert [event.seq for event in journal.events("a", after_seq=2)] == [3]
    assert (journal.last_event_seq("b"), journal.last_event_seq("c")) == (1, 0)


def test_effects_on_this_process_leave_no_trace_in_the_journal(journal: Journal) -> None:
    write(journal, StopRun("r", "cancelled"), Resolve("q"))
    assert journal.tasks.due(tuple(TaskKind), NOW_MS) == []


# -- what is owed --------------------------------------------------------------------------------------


def test_signed_document_is_kept_and_owed_in_one_step(journal: Journal) -> None:
    record, effects = delivered()
    write(journal, *effects)
    send = send_of(effects)
    row = journal.outbox.row(send.digest)
    assert row is not None
    assert (row.signed, row.recipient, row.about) == (b"signed", send.to, record.digest)
    kept = journal.answer(send.digest)
    assert kept is not None
    assert (kept.signed, kept.seq, kept.type) == (b"signed", 1, "delivered")
    assert [task.key for task in journal.tasks.due([TaskKind.DEPOSIT], NOW_MS)] == [send.digest]
    assert journal.dispatch(record.digest) == record


def test_document_for_oneself_is_kept_and_not_owed(journal: Journal) -> None:
    _, effects = delivered(own_job())
    write(journal, *effects)
    assert journal.outbox.row(send_of(effects).digest) is None
    assert journal.answer(send_of(effects).digest) is not None


def test_settled_document_is_owed_no_longer(journal: Journal) -> None:
    _, effects = delivered()
    write(journal, *effects)
    write(journal, Settle(send_of(effects).digest))
    assert journal.outbox.row(send_of(effects).digest) is None
    assert journal.tasks.due([TaskKind.DEPOSIT], NOW_MS) == []
    assert journal.answer(send_of(effects).digest) is not None


def test_end_of_a_matter_settles_everything_about_it_and_nothing_else(journal: Journal) -> None:
    record, effects = delivered()
    other, more = delivered(dispatch(1))
    write(journal, *effects, *more)
    assert journal.outbox.holds_about(record.digest)
    write(journal, SettleAbout(record.digest))
    assert not journal.outbox.holds_about(record.digest)
    assert journal.outbox.holds_about(other.digest)


def test_task_itself_is_a_matter_of_its_own(journal: Journal) -> None:
    composed = replace(send_of(delivered()[1]), digest="d", about="", keep=None)
    write(journal, composed)
    write(journal, SettleAbout("d"))
    assert journal.outbox.row("d") is None


def test_answer_can_be_owed_once_more_and_is_owed_once(journal: Journal) -> None:
    _, effects = delivered()
    send = send_of(effects)
    write(journal, *effects)
    write(journal, Settle(send.digest))
    kept = journal.answer(send.digest)
    assert kept is not None
    for _ in range(2):
        journal.outbox.owe_once_more(kept, to="peer", edge="e", now_ms=NOW_MS + 5)
    row = journal.outbox.row(send.digest)
    assert row is not None
    assert (row.signed, row.recipient, row.created_ms) == (kept.signed, "peer", kept.at_ms)
    assert [task.not_before_ms for task in journal.tasks.due([TaskKind.DEPOSIT], NOW_MS + 5)] == [NOW_MS + 5]


def test_relay_that_lost_its_memory_is_owed_everything_again(journal: Journal) -> None:
    _, effects = delivered()
    _, more = delivered(dispatch(1))
    write(journal, *effects, *more)
    write(journal, Unplan(TaskKind.DEPOSIT, send_of(effects).digest))
    journal.outbox.owe_all_again(NOW_MS)
    assert len(journal.tasks.due([TaskKind.DEPOSIT], NOW_MS)) == 2


def test_plans_are_written_with_their_decision(journal: Journal) -> None:
    write(journal, Plan(kind=TaskKind.RUN, key="r", not_before_ms=0, payload={}))
    write(
        journal, Unplan(TaskKind.RUN, "r"), Plan(kind=TaskKind.EXPIRE, key="d", not_before_ms=0, payload={})
    )
    assert [task.kind for task in journal.tasks.due(tuple(TaskKind), NOW_MS)] == [TaskKind.EXPIRE]


# -- asking --------------------------------------------------------------------------------------------


def test_pages_show_each_dispatch_of_a_box_once_newest_first(journal: Journal) -> None:
    mine = [dispatch(number, arrived_ms=NOW_MS + number // 3) for number in range(10)]
    other = [
        dispatch(20, box=Box.SENT, arrived_ms=NOW_MS + 50),
        dispatch(21, box=Box.OWN, arrived_ms=NOW_MS + 60),
    ]
    write(journal, *(Put(record) for record in (*mine, *other)))
    seen: list[DispatchRecord] = []
    before = None
    while page := journal.page(Box.INBOX, before=before, limit=4):
        seen += page
        before = (page[-1].arrived_ms, page[-1].digest)
    newest_first = sorted([*mine, other[1]], key=lambda record: (record.arrived_ms, record.digest))[::-1]
    assert seen == newest_first
    assert [record.box for record in journal.page(Box.SENT, before=None, limit=9)] == [Box.OWN, Box.SENT]


def test_dispatch_is_found_by_the_beginning_of_its_id(journal: Journal) -> None:
    many = [dispatch(number) for number in range(20)]
    write(journal, *(Put(record) for record in many))
    wanted = many[7].dispatch_id
    assert journal.dispatches_like(wanted) == [many[7]]
    beginning = [record for record in many if record.dispatch_id.startswith(wanted[:1])]
    assert {record.digest for record in journal.dispatches_like(wanted[:1])} == {
        record.digest for record in beginning
    }
    assert journal.dispatches_like("~") == []


def test_what_is_not_over_is_found(journal: Journal) -> None:
    write(
        journal,
        *(Put(dispatch(number, state=state)) for number, state in enumerate(DispatchState)),
    )
    over = {"finished", "refused", "declined", "expired", "cancelled"}
    assert {record.state for record in journal.unfinished()} == {
        state for state in DispatchState if state not in over
    }
    write(journal, Put(dispatch(50, edge=OTHER_EDGE)))
    assert [record.digest for record in journal.on_edge(OTHER_EDGE)] == [dispatch(50).digest]


def test_daily_limit_counts_what_an_edge_brought_but_not_what_the_limit_refused(journal: Journal) -> None:
    write(
        journal,
        Put(dispatch(0, arrived_ms=NOW_MS)),
        Put(dispatch(1, arrived_ms=NOW_MS + 1)),
        Put(dispatch(2, arrived_ms=NOW_MS + 1, ended_code="edge_revoked")),
        Put(dispatch(3, arrived_ms=NOW_MS + 1, ended_code="daily_limit")),
        Put(dispatch(4, arrived_ms=NOW_MS + 1, edge=OTHER_EDGE)),
        Put(dispatch(5, arrived_ms=NOW_MS + 1, box=Box.SENT)),
    )
    assert journal.arrivals(received().edge, NOW_MS) == 2
    assert journal.arrivals(received().edge, NOW_MS - 1) == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda journal: journal.arrivals(received().edge, NOW_MS),
        lambda journal: journal.answers_count(received().edge),
        lambda journal: journal.log_size(received().edge, "device"),
        lambda journal: journal.sent_over(received().edge),
        lambda journal: journal.logs.held("device", 7),
    ],
    ids=[
        *("what came within a day", "checkpoints", "the size of a log", "what was sent"),
        "a place in a household's log",
    ],
)
def test_what_is_asked_for_each_task_is_counted_without_reading_one(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Journal], object]
) -> None:
    """It is asked for each task that comes: one that reads all of the day before makes a day cost its square."""
    asked: list[tuple[str, Sequence[object]]] = []
    read = journal.database.read

    def listen(sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        asked.append((sql, parameters))
        return read(sql, parameters)

    monkeypatch.setattr(journal.database, "read", listen)
    ask(journal)
    ((sql, parameters),) = asked
    plan = " ".join(str(step[-1]) for step in read(f"EXPLAIN QUERY PLAN {sql}", parameters))
    assert "COVERING INDEX" in plan


def test_runs_and_questions_are_found_by_where_they_stand(journal: Journal) -> None:
    write(
        journal,
        *(Put(run(state, run_id=f"{state}")) for state in RunState),
        *(Put(approval(request_id=f"{state}", state=state)) for state in ApprovalState),
    )
    over = {RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED}
    assert {each.state for each in journal.runs_unfinished()} == set(RunState) - over
    assert len(journal.runs(received().digest)) == len(RunState)
    assert [each.state for each in journal.approvals_open()] == [ApprovalState.OPEN]
    assert len(journal.approvals_of(received().digest)) == len(ApprovalState)
    assert [each.request_id for each in journal.approvals_like("ope")] == ["open"]


def test_edges_are_found_by_whose_trust_they_state(journal: Journal) -> None:
    incoming, outgoing = edge(), edge(Direction.OUTGOING, edge=OTHER_EDGE)
    write(journal, Put(incoming), Put(outgoing))
    assert journal.edges(Direction.OUTGOING) == [outgoing]
    assert journal.edges() == [incoming, outgoing]
    assert journal.edge(OTHER_EDGE) == outgoing


def test_answers_stand_by_device_in_their_order(journal: Journal) -> None:
    def kept(digest: str, seq: int, device: str = "a", *, held: bool = False) -> AnswerRecord:
        return AnswerRecord(
            digest=digest,
            about="d",
            kind="receipt",
            type="delivered",
            signed=b"",
            device=device,
            seq=seq,
            at_ms=NOW_MS,
            held=held,
        )

    written = [kept("3", 3, held=True), kept("1", 1), kept("x", 1, "b"), kept("0", 0)]
    write(journal, *(Put(record) for record in written))
    assert [each.digest for each in journal.answers("d")] == ["0", "1", "3", "x"]
    assert journal.answer_places("d", "a") == [("1", 1, False), ("3", 3, True)]


def test_nothing_is_found_where_nothing_was_written(journal: Journal) -> None:
    assert journal.dispatch("x") is journal.run("x") is journal.approval("x") is journal.edge("x") is None
    assert (
        journal.contact("x")
        is journal.invitation("x")
        is journal.answer("x")
        is journal.outbox.row("x")
        is None
    )
    assert journal.invitations() == journal.contacts() == []


def test_record_of_the_author_is_written_over_by_its_next_state(journal: Journal) -> None:
    write(journal, Put(sent(DispatchState.QUEUED)))
    write(journal, Put(sent(DispatchState.SENT)))
    assert journal.unfinished() == [sent(DispatchState.SENT)]
