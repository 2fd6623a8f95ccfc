"""Records to rows and back, by the fields' own types.

Text, integers, bytes and None stay what they are; words of an enumeration are stored as themselves, truth
values as 0 and 1, objects and lists as JSON. Nothing else exists in a record, and a field of another type
is an error when the program starts, not when the row is read.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Generic, TypeVar

from dispatch_daemon.core import records, shared_records, trust_records

R = TypeVar("R")
Cell = None | int | str | bytes


def _identity(value: Any) -> Any:
    return value


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _tuple_from_json(text: Any) -> Any:
    return tuple(tuple(item) if isinstance(item, list) else item for item in json.loads(text))


def _codec(annotation: Any) -> tuple[Callable[[Any], Cell], Callable[[Any], Any]]:
    """Return the functions that write and read one column of this type."""
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        inner = [part for part in typing.get_args(annotation) if part is not types.NoneType]
        write, read = _codec(inner[0])
        return (
            lambda value: None if value is None else write(value),
            lambda cell: None if cell is None else read(cell),
        )
    if origin is tuple:
        return _to_json, _tuple_from_json
    if origin is dict:
        return _to_json, json.loads
    if annotation is bool:
        return int, bool
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return str, annotation
    if annotation in (int, str, bytes):
        return _identity, _identity
    raise TypeError(f"a record holds a field of type {annotation!r}, which has no column form")


class Table(Generic[R]):
    """How one record type lies in its table; `select` starts every query so that columns and fields agree."""

    def __init__(self, record_type: type[R], name: str, key: tuple[str, ...]) -> None:
        declared = dataclasses.fields(record_type)  # type: ignore[arg-type]  # every R is a dataclass
        self.record_type = record_type
        self.name = name
        self.fields = tuple(field.name for field in declared)
        self._codecs = tuple(_codec(field.type) for field in declared)
        quoted = ", ".join(f'"{field}"' for field in self.fields)
        marks = ", ".join("?" * len(self.fields))
        rest = ", ".join(f'"{field}" = excluded."{field}"' for field in self.fields if field not in key)
        # Only the record's own key may be replaced: a second record under another unique column
        # (one id, two digests) has to fail loudly, never to push the first one out.
        self.upsert = f"INSERT INTO {name} ({quoted}) VALUES ({marks}) ON CONFLICT ({', '.join(key)}) DO UPDATE SET {rest}"
        self.select = f"SELECT {quoted} FROM {name}"

    def row(self, record: R) -> tuple[Cell, ...]:
        """Return the record's cells in the order of its fields."""
        return tuple(
            write(getattr(record, field)) for field, (write, _) in zip(self.fields, self._codecs, strict=True)
        )

    def record(self, row: Sequence[Any]) -> R:
        """Return the record that `row` (from a query that began with `select`) holds."""
        cells = {
            field: read(cell) for field, (_, read), cell in zip(self.fields, self._codecs, row, strict=True)
        }
        return self.record_type(**cells)


DISPATCHES = Table(records.DispatchRecord, "dispatches", ("digest",))
RUNS = Table(records.RunRecord, "runs", ("run_id",))
EVENTS = Table(records.EventRecord, "events", ("digest", "seq"))
APPROVALS = Table(records.ApprovalRecord, "approvals", ("request_id",))
FILES = Table(records.FileRecord, "files", ("file_id",))
RULES = Table(trust_records.RuleRecord, "rules", ("rule_id",))
CONTACTS = Table(trust_records.ContactRecord, "contacts", ("genesis",))
COMPARISONS = Table(trust_records.ComparisonRecord, "comparisons", ("peer",))
EDGES = Table(trust_records.EdgeRecord, "edges", ("edge",))
INVITATIONS = Table(trust_records.InvitationRecord, "invitations", ("invitation_id",))
ANSWERS = Table(records.AnswerRecord, "answers", ("digest",))
MESSAGES = Table(records.MessageRecord, "messages", ("digest",))
HOUSEHOLD = Table(shared_records.HouseholdRecord, "household", ("digest",))
ACTS = Table(shared_records.ActRecord, "acts", ("device", "seq"))
QUESTIONS = Table(shared_records.QuestionRecord, "questions", ("request_id",))
HANDOVERS = Table(shared_records.HandoverRecord, "handovers", ("digest", "turn", "giver"))
DEEDS = Table(shared_records.DeedRecord, "deeds", ("digest", "device"))

TABLES: dict[type, Table[Any]] = {
    table.record_type: table
    for table in (
        DISPATCHES,
        RUNS,
        EVENTS,
        APPROVALS,
        FILES,
        RULES,
        CONTACTS,
        COMPARISONS,
        EDGES,
        INVITATIONS,
        ANSWERS,
        MESSAGES,
        HOUSEHOLD,
        ACTS,
        DEEDS,
        HANDOVERS,
        QUESTIONS,
    )
}
