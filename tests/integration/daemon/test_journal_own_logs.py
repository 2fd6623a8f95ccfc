"""Logs of one's own devices in the journal: a telling costs the same over ten documents and over thousands, and words are let go."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.journal.schema import MIGRATIONS
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.shared_records import HouseholdRecord

LAPTOP, DESK = "ab" * 32, "cd" * 32


def document(seq: int, device: str = LAPTOP, **changes: object) -> HouseholdRecord:
    fields = {"digest": f"{device[:2]}{seq}", "seq": seq, "prev": f"{device[:2]}{seq - 1}", "at_ms": seq}
    return HouseholdRecord(device=device, **{"signed": b"words", **fields, **changes})  # type: ignore[arg-type]  # as a record says


def base(seq: int, device: str = LAPTOP) -> HouseholdRecord:
    return document(seq, device, digest=f"base {device}", prev=f"{device[:2]}{seq}", signed=b"")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db", boot="test")
    yield made
    made.database._connection.close()


def write(journal: Journal, *records: HouseholdRecord) -> None:
    journal.write([Put(record) for record in records], now_ms=1, signatures={})


def places(journal: Journal) -> dict[str, tuple[int, str]]:
    return {device: (seq, digest) for device, seq, digest, _ in journal.logs.heads()}


def test_a_log_is_followed_as_far_as_nothing_is_missing(journal: Journal) -> None:
    write(journal, document(2), document(3))
    assert places(journal) == {}
    write(journal, document(5), document(1), document(1, DESK))
    assert places(journal) == {LAPTOP: (3, "ab3"), DESK: (1, "cd1")}
    write(journal, document(4))
    assert places(journal)[LAPTOP] == (5, "ab5")
    write(journal, document(2))
    assert places(journal)[LAPTOP] == (5, "ab5"), "a repeat moves nothing"


def test_a_base_says_from_where_and_is_no_document(journal: Journal) -> None:
    write(journal, document(9), document(8), base(7))
    assert places(journal)[LAPTOP] == (9, "ab9")
    assert (journal.logs.held(LAPTOP, 7), journal.logs.held(LAPTOP, 8)) == (None, "ab8")
    assert (journal.logs.named_before(LAPTOP, 7), journal.logs.named_before(LAPTOP, 8)) == (None, "ab7")
    write(journal, document(0, digest="a base that was said"))
    assert places(journal)[LAPTOP] == (9, "ab9")


def test_words_are_let_go_and_places_stay(journal: Journal) -> None:
    write(journal, *(document(seq) for seq in range(1, 6)), base(2, DESK))
    assert journal.logs.forget_words(LAPTOP, 4, 3) == 3
    assert journal.logs.forget_words(LAPTOP, 4, 3) == 0
    assert len(journal.logs.said(LAPTOP, 1, 9, 100)) == 2
    assert [journal.logs.held(LAPTOP, seq) for seq in (1, 3)] == ["ab1", "ab3"]
    record = journal.logs.document("ab1")
    assert (record is not None and record.signed, places(journal)[LAPTOP]) == (b"", (5, "ab5"))


@pytest.mark.parametrize("several", [10, 3_000])
def test_a_telling_reads_as_many_rows_as_there_are_devices(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, several: int
) -> None:
    """Whatever it asks of the table of documents it asks by index, for one place; all else is one row for each device."""
    write(journal, *(document(seq) for seq in range(1, several)))
    asked: list[tuple[str, Sequence[object], int]] = []
    read = journal.database.read

    def listen(sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        found = read(sql, parameters)
        asked.append((sql, parameters, len(found)))
        return found

    monkeypatch.setattr(journal.database, "read", listen)
    journal.logs.heads()
    write(journal, document(several))
    assert places(journal)[LAPTOP][0] == several
    assert sum(rows for _, _, rows in asked) <= 8
    for sql, parameters, _ in asked:
        plan = " ".join(str(step[-1]) for step in read(f"EXPLAIN QUERY PLAN {sql}", parameters))
        assert "SCAN household" not in plan, sql


def test_a_journal_of_an_older_version_is_followed_as_it_was(tmp_path: Path) -> None:
    """Documents in order, one missing, a base above and below them: what was read row by row is one row for each now."""
    before = next(number for number, script in enumerate(MIGRATIONS) if "CREATE TABLE followed" in script)
    journal = Journal(tmp_path / "journal.db", boot="test")
    fed, torn = "ef" * 32, "01" * 32
    write(journal, document(1), document(2), document(4))
    write(journal, base(7, fed), document(8, fed), document(9, fed), document(3, fed))
    write(journal, document(2, torn), base(5, DESK))
    stood = places(journal)
    journal.database.commit()
    for statement in (
        "DROP TABLE followed",
        "DROP TABLE acts",
        "ALTER TABLE dispatches DROP COLUMN declined_decisions",
        "ALTER TABLE runs DROP COLUMN model",
        "DROP INDEX household_with_words",
        f"PRAGMA user_version = {before}",
    ):
        journal.database._connection.execute(statement)
    journal.database._connection.close()
    again = Journal(tmp_path / "journal.db", boot="test")
    assert places(again) == stood == {LAPTOP: (2, "ab2"), fed: (9, "ef9"), DESK: (5, "cd5")}
    again.database._connection.close()
