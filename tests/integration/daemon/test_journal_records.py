"""Every record comes back as it went in, and none pushes another out."""

import dataclasses
import sqlite3
import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatch_daemon.adapters.journal import Journal, rows
from dispatch_daemon.core.effects import Forget, Put
from dispatch_daemon.core.records import Record
from dispatch_daemon.core.trust_records import ContactRecord, RuleRecord, Trust
from dispatch_protocol.limits import SAFE_INTEGER
from tests.support.desk import received
from tests.support.documents import EDGE, NOW_MS, task

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.integers(-SAFE_INTEGER, SAFE_INTEGER)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Return any value that a field of this type may hold."""
    arguments = typing.get_args(annotation)
    match typing.get_origin(annotation):
        case types.UnionType:
            return st.one_of(*(st.none() if part is types.NoneType else values(part) for part in arguments))
        case origin if origin is dict:
            return OBJECT
        case origin if origin is tuple and Ellipsis in arguments:
            return st.lists(values(arguments[0]), max_size=3).map(tuple)
        case origin if origin is tuple:
            return st.tuples(*(values(part) for part in arguments))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return st.sampled_from(list(annotation))
    simple = {str: TEXT, int: NUMBER, bool: st.booleans(), bytes: st.binary(max_size=20)}
    return simple[annotation]


def records(record_type: type[Any]) -> st.SearchStrategy[Any]:
    fields = dataclasses.fields(record_type)
    return st.builds(record_type, **{field.name: values(field.type) for field in fields})


TABLES = pytest.mark.parametrize("table", rows.TABLES.values(), ids=lambda table: table.name)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db", boot="boot/1")
    yield journal
    journal.database.close()


def put(journal: Journal, *kept: Record) -> None:
    journal.write([Put(record) for record in kept], now_ms=NOW_MS, signatures={})


def contact(genesis: str, **more: Any) -> ContactRecord:
    fields: dict[str, Any] = {
        "genesis": genesis,
        "address": "alice@example.org",
        "trust": Trust.TOKEN,
        "chain": (),
        "pinned_ms": NOW_MS,
    }
    return ContactRecord(**fields | more)


# -- rows and records ----------------------------------------------------------------------------------


@TABLES
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_record_comes_back_as_it_went_in(
    journal: Journal, table: rows.Table[Any], data: st.DataObject
) -> None:
    record = data.draw(records(table.record_type))
    journal.database.write(f"DELETE FROM {table.name}")
    journal.database.write(table.upsert, table.row(record))
    (row,) = journal.database.read(table.select)
    assert table.record(row) == record


@TABLES
def test_columns_are_the_fields_and_only_what_may_be_absent_is_nullable(
    journal: Journal, table: rows.Table[Any]
) -> None:
    columns = {
        name: (kind, bool(required or key))
        for _, name, kind, required, _, key in journal.database.read(f"PRAGMA table_info({table.name})")
    }
    expected = {}
    for field in dataclasses.fields(table.record_type):
        parts = typing.get_args(field.type) if isinstance(field.type, types.UnionType) else (field.type,)
        kind = {int: "INTEGER", bool: "INTEGER", bytes: "BLOB"}.get(parts[0], "TEXT")
        expected[field.name] = (kind, types.NoneType not in parts)
    assert columns == expected


def test_field_without_a_column_form_is_refused_when_the_program_starts() -> None:
    strange = dataclasses.make_dataclass("Strange", [("number", float)])
    with pytest.raises(TypeError):
        rows.Table(strange, "strange", ("number",))


# -- replacing -----------------------------------------------------------------------------------------


def test_record_replaces_itself_and_no_other(journal: Journal) -> None:
    put(journal, contact("a"), contact("b"))
    put(journal, contact("a", trust=Trust.COMPARED))
    assert {known.genesis: known.trust for known in journal.contacts()} == {
        "a": Trust.COMPARED,
        "b": Trust.TOKEN,
    }


def test_second_dispatch_under_one_id_never_pushes_out_the_first(journal: Journal) -> None:
    first = received()
    impostor = received(task=task(task="another"), dispatch_id=first.dispatch_id)
    put(journal, first)
    with pytest.raises(sqlite3.IntegrityError):
        put(journal, impostor)
    assert journal.dispatch_named(first.dispatch_id) == first
    assert journal.dispatch(impostor.digest) is None


def test_second_dispatch_under_one_idempotency_key_never_pushes_out_the_first(journal: Journal) -> None:
    first = received(idempotency_key="key")
    put(journal, first)
    with pytest.raises(sqlite3.IntegrityError):
        put(journal, received(task=task(task="another"), idempotency_key="key"))
    assert journal.dispatch_for_key("key") == first


def test_second_contact_under_one_alias_never_pushes_out_the_first(journal: Journal) -> None:
    put(journal, contact("a", alias="al"))
    with pytest.raises(sqlite3.IntegrityError):
        put(journal, contact("b", alias="al"))
    assert [known.genesis for known in journal.contacts()] == ["a"]


def test_decision_with_one_bad_record_keeps_none_of_its_records(journal: Journal) -> None:
    put(journal, contact("a", alias="al"))
    with pytest.raises(sqlite3.IntegrityError):
        put(journal, contact("c"), contact("b", alias="al"))
    assert [known.genesis for known in journal.contacts()] == ["a"]


def test_rule_is_forgotten_by_its_own_id(journal: Journal) -> None:
    kept, gone = (
        RuleRecord(rule_id=name, edge=EDGE.hex, tool="Read", command=None, created_ms=NOW_MS)
        for name in ("kept", "gone")
    )
    put(journal, kept, gone)
    journal.write([Forget(gone)], now_ms=NOW_MS, signatures={})
    assert journal.rules() == journal.rules_on(EDGE.hex) == [kept]
