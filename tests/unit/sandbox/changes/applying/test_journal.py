"""An apply's journal gives back exactly what was written, and says so when it cannot."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.journal import Journal
from sandbox.changes.applying.plan import Chmod, Plan, Root, Step
from sandbox.changes.applying.trees import Known, Node
from sandbox.changes.change import Kind, Stamp
from sandbox.changes.outcome import ApplyOutcome, ApplyStatus, Clash, Conflict
from sandbox.errors import ChangesetError

PLAN = Plan(
    digest="ab" * 32,
    roots=(Root("/g", 7), Root("/h\udc80", 8)),
    unlocks=(Chmod(0, ".", 7, 0o555, 0o755),),
    steps=(
        Step(
            0,
            "d",
            ".dispatch-apply-x-0",
            (Known("", Stamp(1, 0o40755, 0, 2**62, 3)), Known("a", Stamp(4, 0o100644, 5, 6, 7), "cd" * 32)),
            (Node("", Kind.SYMLINK, target="é"),),
        ),
        Step(1, "e/f", ".dispatch-apply-x-1", (), (Node("", Kind.FILE, 0o755, "ef" * 32),)),
    ),
    chmods=(Chmod(1, "e", 9, 0o755, 0o700),),
    locks=(Chmod(1, "e", 9, 0o700, 0o500),),
)
CONFLICTS = (Conflict("/g/d", Clash.MIDWAY), Conflict("/g/é", Clash.NOT_UNDONE))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield Journal(fd, Disk())
    os.close(fd)


def test_a_new_journal_knows_nothing(journal: Journal) -> None:
    assert journal.plan() is None
    assert journal.staged() is None
    assert not journal.committed()
    assert journal.reverting() is None
    assert journal.reverted() is None
    assert journal.outcome() is None


def test_everything_comes_back_as_it_was_written(journal: Journal) -> None:
    journal.begin(PLAN)
    journal.intend([None, 42])
    journal.commit()
    journal.revert(CONFLICTS[:1])
    journal.finish_reverting(CONFLICTS)
    outcome = ApplyOutcome(ApplyStatus.CONFLICT, CONFLICTS)
    journal.close(outcome)
    assert journal.plan() == PLAN
    assert journal.staged() == [None, 42]
    assert journal.committed()
    assert journal.reverting() == CONFLICTS[:1]
    assert journal.reverted() == CONFLICTS
    assert journal.outcome() == outcome


def test_only_its_owner_may_read_it(journal: Journal, tmp_path: Path) -> None:
    journal.begin(PLAN)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"v":2}', '{"v":1,"digest":"x","roots":[[1]]}'])
def test_a_damaged_plan_is_told(journal: Journal, tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ChangesetError, match="journal_damaged"):
        journal.plan()


def test_a_half_written_record_is_not_there(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "committed.json.part").write_text("tr")
    assert not journal.committed()
    journal.commit()
    assert journal.committed()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("intent", text) for text in ("7", '{"a":1}', '["a"]', "[{}]", "[1e999]", "[[1]]")),
        *(
            (name, text)
            for name in ("reverting", "reverted")
            for text in ("7", "[1]", '[["a"]]', '[["a","nothing known"]]', '{"a":1}')
        ),
        *(("outcome", text) for text in ("7", "{}", '["applied"]', '["soon",[]]', '["applied",[[1]]]')),
    ],
)
def test_any_damaged_file_is_told(journal: Journal, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / f"{name}.json").write_text(text)
    read = {"intent": journal.staged, "reverting": journal.reverting}
    with pytest.raises(ChangesetError, match="journal_damaged"):
        {**read, "reverted": journal.reverted, "outcome": journal.outcome}[name]()
