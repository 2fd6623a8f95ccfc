"""What is owed is done by one life at a time, as often as it must be, and is never forgotten by a crash."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatch_daemon.adapters.journal import Journal, Task
from dispatch_daemon.core.effects import Plan, TaskKind, Unplan
from dispatch_protocol.encoding import JSON
from tests.support.documents import NOW_MS

EVERY = tuple(TaskKind)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Callable[[str], Journal]]:
    """Begin lives of one daemon, each over the same file; the one before ends without a word."""
    lives: list[Journal] = []

    def begin(name: str) -> Journal:
        if lives:
            lives[-1].database.commit()
            lives[-1].database._connection.close()
        lives.append(Journal(tmp_path / "journal.db", boot=name))
        return lives[-1]

    yield begin
    lives[-1].database.close()


@pytest.fixture
def journal(live: Callable[[str], Journal]) -> Journal:
    return live("first")


def plan(
    journal: Journal,
    key: str = "a",
    kind: TaskKind = TaskKind.DEPOSIT,
    at_ms: int = NOW_MS,
    **payload: JSON,
) -> None:
    journal.tasks.plan(Plan(kind=kind, key=key, not_before_ms=at_ms, payload=payload))


def due(journal: Journal, now_ms: int = NOW_MS) -> list[str]:
    return [task.key for task in journal.tasks.due(EVERY, now_ms)]


def the_one(journal: Journal) -> Task:
    (task,) = journal.tasks.due(EVERY, NOW_MS)
    return task


def state(journal: Journal, key: str = "a") -> tuple[str, int]:
    task = journal.tasks.get(TaskKind.DEPOSIT, key)
    assert task is not None
    return task.state, task.attempts


# -- planning ------------------------------------------------------------------------------------------


def test_task_is_due_from_its_time_on_the_longest_due_first(journal: Journal) -> None:
    plan(journal, "later", at_ms=NOW_MS)
    plan(journal, "sooner", at_ms=NOW_MS - 1)
    plan(journal, "tomorrow", at_ms=NOW_MS + 1)
    assert due(journal) == ["sooner", "later"]
    assert [task.key for task in journal.tasks.due(EVERY, NOW_MS, limit=1)] == ["sooner"]


def test_only_the_kinds_that_are_asked_for_are_due(journal: Journal) -> None:
    plan(journal, "a", TaskKind.DEPOSIT)
    plan(journal, "b", TaskKind.RUN)
    assert [task.key for task in journal.tasks.due([TaskKind.RUN], NOW_MS)] == ["b"]
    assert journal.tasks.next_due_ms([TaskKind.HEARTBEAT]) is None


def test_next_task_says_when_to_wake(journal: Journal) -> None:
    plan(journal, "a", at_ms=NOW_MS + 7)
    plan(journal, "b", at_ms=NOW_MS + 5)
    assert journal.tasks.next_due_ms(EVERY) == NOW_MS + 5


def test_task_is_owed_once_and_a_second_plan_replaces_the_first(journal: Journal) -> None:
    plan(journal, op="old")
    journal.tasks.take(the_one(journal), NOW_MS)
    plan(journal, at_ms=NOW_MS - 1, op="new")
    task = the_one(journal)
    assert (task.payload, task.not_before_ms, task.attempts) == ({"op": "new"}, NOW_MS - 1, 0)


def test_task_of_another_kind_under_the_same_key_is_another_task(journal: Journal) -> None:
    plan(journal, "a", TaskKind.DEPOSIT)
    plan(journal, "a", TaskKind.EXPIRE)
    journal.tasks.unplan(Unplan(TaskKind.EXPIRE, "a"))
    assert [task.kind for task in journal.tasks.due(EVERY, NOW_MS)] == [TaskKind.DEPOSIT]


# -- doing ---------------------------------------------------------------------------------------------


def test_task_is_taken_once(journal: Journal) -> None:
    plan(journal)
    task = the_one(journal)
    assert journal.tasks.take(task, NOW_MS)
    assert not journal.tasks.take(task, NOW_MS)
    assert due(journal) == []
    assert state(journal) == ("taken", 1)


def test_task_that_failed_is_due_again_later_and_its_attempts_are_counted(journal: Journal) -> None:
    plan(journal)
    for attempt in (1, 2, 3):
        task = the_one(journal)
        journal.tasks.take(task, NOW_MS)
        journal.tasks.retry(task, NOW_MS)
        assert state(journal) == ("due", attempt)
    task = the_one(journal)
    journal.tasks.take(task, NOW_MS)
    journal.tasks.retry(task, NOW_MS + 5)
    assert due(journal, NOW_MS + 4) == []
    assert due(journal, NOW_MS + 5) == ["a"]


def test_task_settled_while_it_was_being_done_stays_settled(journal: Journal) -> None:
    plan(journal)
    task = the_one(journal)
    journal.tasks.take(task, NOW_MS)
    journal.tasks.unplan(Unplan(TaskKind.DEPOSIT, "a"))
    journal.tasks.retry(task, NOW_MS)
    assert journal.tasks.get(TaskKind.DEPOSIT, "a") is None


def test_task_planned_anew_while_it_was_being_done_keeps_its_new_time(journal: Journal) -> None:
    plan(journal)
    task = the_one(journal)
    journal.tasks.take(task, NOW_MS)
    plan(journal, at_ms=NOW_MS + 5)
    journal.tasks.retry(task, NOW_MS)
    assert due(journal) == []


def test_what_waits_is_hastened_by_its_kind(journal: Journal) -> None:
    plan(journal, "a", TaskKind.DEPOSIT, NOW_MS + 1000)
    plan(journal, "b", TaskKind.EXPIRE, NOW_MS + 1000)
    plan(journal, "c", TaskKind.DEPOSIT, NOW_MS - 5)
    journal.tasks.hasten(TaskKind.DEPOSIT, NOW_MS)
    assert due(journal) == ["c", "a"]


# -- from one life to the next -------------------------------------------------------------------------


def test_task_of_a_life_that_ended_in_the_middle_is_found_and_can_be_done_again(
    live: Callable[[str], Journal],
) -> None:
    first = live("first")
    plan(first, "taken")
    plan(first, "waiting")
    first.tasks.take(first.tasks.due(EVERY, NOW_MS)[0], NOW_MS)
    second = live("second")
    (orphan,) = second.tasks.adopt_orphans()
    assert (orphan.key, orphan.state) == ("taken", "unknown")
    assert due(second) == ["waiting"]
    second.tasks.release(orphan)
    assert sorted(due(second)) == ["taken", "waiting"]
    assert second.tasks.adopt_orphans() == []


def test_orphan_that_nobody_released_is_found_by_every_later_life(live: Callable[[str], Journal]) -> None:
    first = live("first")
    plan(first)
    first.tasks.take(the_one(first), NOW_MS)
    assert len(live("second").tasks.adopt_orphans()) == 1
    assert len(live("third").tasks.adopt_orphans()) == 1


def test_task_of_this_life_is_no_orphan(journal: Journal) -> None:
    plan(journal)
    journal.tasks.take(the_one(journal), NOW_MS)
    assert journal.tasks.adopt_orphans() == []
    assert state(journal) == ("taken", 1)


def test_only_an_orphan_is_released(journal: Journal) -> None:
    plan(journal)
    task = the_one(journal)
    journal.tasks.take(task, NOW_MS)
    journal.tasks.release(task)
    assert state(journal) == ("taken", 1)
