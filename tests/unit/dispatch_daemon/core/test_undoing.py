"""What an apply replaced is kept for so long and so much, and is taken back once, by whoever's files they are."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import undoing
from dispatch_daemon.core.effects import Note, Plan, Put, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord, Door, RunRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DispatchState, RunState
from dispatch_protocol.messages.trace import EventType
from tests.support.desk import puts, received, run, sent
from tests.support.documents import NOW_MS

DAY_MS = 86_400_000
CHANGE: dict[str, JSON] = {"op": "create", "path": "/src/a"}
DONE = received(DispatchState.FINISHED)


def applied(**more: object) -> RunRecord:
    fields: dict[str, object] = {
        "changeset": (CHANGE,),
        "undo_until_ms": NOW_MS + DAY_MS,
        "originals_bytes": 1,
    }
    return run(RunState.COMPLETED, **fields | more)


def refused(record: DispatchRecord, last: RunRecord | None, *, going_on: bool = False) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        undoing.require_undoable(record, last, NOW_MS, going_on=going_on)
    return caught.value


def test_originals_are_kept_for_two_weeks() -> None:
    effects = undoing.kept(run(RunState.APPLYING, changeset=(CHANGE,)), [], 70, NOW_MS)
    (kept,) = puts(effects, RunRecord)
    assert (kept.undo_until_ms, kept.originals_bytes) == (NOW_MS + 14 * DAY_MS, 70)
    assert effects[1:] == [
        Plan(kind=TaskKind.ORIGINALS, key=kept.run_id, not_before_ms=NOW_MS + 14 * DAY_MS, payload={})
    ]


def test_the_oldest_go_first_where_all_together_are_too_large() -> None:
    third = undoing.KEPT_BYTES // 3
    others = [
        applied(run_id=name, undo_until_ms=NOW_MS + days * DAY_MS, originals_bytes=third)
        for name, days in (("b", 2), ("a", 1), ("c", 3))
    ]
    effects = undoing.kept(applied(run_id="new"), others, third, NOW_MS)
    gone = [each.key for each in effects if isinstance(each, Plan) and each.not_before_ms == NOW_MS]
    assert gone == ["a"]


def test_what_is_too_large_alone_is_not_kept() -> None:
    effects = undoing.kept(applied(), [applied()], undoing.KEPT_BYTES + 1, NOW_MS)
    plans = [each.not_before_ms for each in effects if isinstance(each, Plan)]
    assert plans == [NOW_MS + 14 * DAY_MS, NOW_MS]  # the later plan replaces the earlier one


def test_only_what_was_applied_here_and_is_kept_may_be_undone() -> None:
    assert undoing.require_undoable(DONE, applied(), NOW_MS).run_id == applied().run_id
    assert refused(sent(DispatchState.FINISHED), applied()).code == "wrong_party"
    assert refused(DONE, None).code == "not_pending"
    assert refused(DONE, replace(applied(), state=RunState.FAILED)).code == "not_pending"
    assert refused(DONE, applied(changeset=())).code == "not_pending"
    assert "undone at 20" in refused(DONE, applied(undone_ms=NOW_MS)).detail
    assert refused(DONE, applied(), going_on=True).detail == "its changes are being undone"
    for until in (None, NOW_MS):
        error = refused(DONE, applied(undo_until_ms=until))
        assert (error.code, error.hint) == ("not_kept", f"dispatch result {DONE.dispatch_id[:8]}")


def test_a_yes_is_owed_under_the_digest_that_was_seen() -> None:
    note, plan = undoing.begun(applied(), "ab" * 32, Door.PAGE, NOW_MS)
    assert isinstance(note, Note)
    assert (note.type, note.data) == (
        EventType.DECISION_MADE,
        {"decision": "undo", "decided_by": Door.PAGE, "digest": "ab" * 32},
    )
    assert isinstance(plan, Plan)
    assert (plan.kind, plan.payload, plan.not_before_ms) == (TaskKind.UNDO, {"digest": "ab" * 32}, NOW_MS)


def test_undone_is_told_once_and_gives_back_what_was_kept() -> None:
    effects = undoing.undone(applied(), NOW_MS)
    assert puts(effects, RunRecord) == [replace(applied(), undone_ms=NOW_MS)]
    assert Unplan(TaskKind.UNDO, applied().run_id) in effects
    (note,) = [each for each in effects if isinstance(each, Note)]
    assert (note.type, note.data) == (EventType.UNDONE, {"changes": 1})
    (plan,) = [each for each in effects if isinstance(each, Plan)]
    assert (plan.kind, plan.not_before_ms) == (TaskKind.ORIGINALS, NOW_MS)
    assert undoing.forgotten(applied()) == [Put(replace(applied(), undo_until_ms=None, originals_bytes=None))]


def test_what_was_in_the_way_is_told_and_it_may_be_asked_again() -> None:
    note, unplan = undoing.not_undone(applied(), undoing.in_the_way(["/a"], midway=False), NOW_MS)
    assert isinstance(note, Note)
    assert note.data == {"warning": "not undone: these changed since, and were left as they are: /a"}
    assert unplan == Unplan(TaskKind.UNDO, applied().run_id)
    many = undoing.in_the_way([f"/{number}" for number in range(7)], midway=True)
    assert (
        many == "these changed while it was undone and were left as they are: /0, /1, /2, /3, /4 and 2 more"
    )
