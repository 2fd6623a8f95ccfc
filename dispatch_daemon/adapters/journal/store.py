"""The journal: what this daemon knows, owes and has promised, in one SQLite file.

Reads are the questions the daemon asks; writes are whole decisions (`write`), committed together. The
latest time ever written is kept as `floor_ms`, so that a clock set back cannot make an expired thing young.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, assert_never

from dispatch_daemon.adapters.journal import rows
from dispatch_daemon.adapters.journal.database import Database
from dispatch_daemon.adapters.journal.messages import Messages
from dispatch_daemon.adapters.journal.outbox import Outbox
from dispatch_daemon.adapters.journal.own_logs import OwnLogs
from dispatch_daemon.adapters.journal.tasks import Tasks
from dispatch_daemon.core.effects import (
    Effect,
    Enter,
    Forget,
    Note,
    Plan,
    Put,
    Resolve,
    Send,
    Settle,
    SettleAbout,
    StopRun,
    Unplan,
)
from dispatch_daemon.core.records import (
    ENDED,
    AnswerRecord,
    ApprovalRecord,
    Box,
    DispatchRecord,
    EventRecord,
    FileRecord,
    Record,
    RunRecord,
)
from dispatch_daemon.core.shared_records import DeedRecord, HandoverRecord, HouseholdRecord, QuestionRecord
from dispatch_daemon.core.trust_records import (
    ComparisonRecord,
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    RuleRecord,
)
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import RUN, RunState, is_final

R = TypeVar("R")


def _listed(states: Iterable[StrEnum]) -> str:
    """Write states of the tables as SQL does."""
    return "(" + ", ".join(f"'{state}'" for state in states) + ")"


_ENDED = _listed(ENDED)
_RUN_OVER = _listed(state for state in RunState if is_final(RUN, state))


class Journal:
    """One home's memory. Use from the event loop's thread only."""

    def __init__(self, path: Path, *, boot: str) -> None:
        self.database = Database(path)
        self.tasks = Tasks(self.database, boot=boot, epoch=0)
        self.outbox = Outbox(self.database, self.tasks)
        self.messages = Messages(self.database)
        self.logs = OwnLogs(self.database)
        self._values: dict[str, str | None] = {}  # of `meta`, as JSON; this process alone writes it
        self._values_undone = 0

    # -- meta ------------------------------------------------------------------------------------------

    def meta(self, key: str) -> JSON:
        """Return a remembered value (a JSON value), or None."""
        if self._values_undone != self.database.undone:
            self._values.clear()
            self._values_undone = self.database.undone
        if key not in self._values:
            found = self.database.read("SELECT value FROM meta WHERE key = ?", (key,))
            self._values[key] = found[0][0] if found else None
        text = self._values[key]
        return None if text is None else json.loads(text)

    def remember(self, key: str, value: JSON) -> None:
        """Keep a value (a JSON value) under a key."""
        text = json.dumps(value, sort_keys=True)
        self.database.write(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, text),
        )
        self._values[key] = text

    @property
    def floor_ms(self) -> int:
        """The latest time this journal has seen; no decision is taken at an earlier one."""
        value = self.meta("floor_ms")
        return value if isinstance(value, int) else 0

    # -- writing decisions -----------------------------------------------------------------------------

    def write(self, effects: Iterable[Effect], *, now_ms: int, signatures: dict[str, bytes]) -> None:
        """Write the durable effects of one decision, all or none; `signatures` maps a Send's digest to S.

        The caller awaits `database.committed()` before it answers or acts on the rest.
        """
        with self.database.together():
            for effect in effects:
                match effect:
                    case Put(record):
                        self._put(record)
                    case Forget(rule):
                        self.database.write("DELETE FROM rules WHERE rule_id = ?", (rule.rule_id,))
                    case Send():
                        self._owe(effect, signatures[effect.digest])
                    case Note():
                        self._note(effect)
                    case Settle(digest):
                        self.outbox.drop(digest)
                    case SettleAbout(about):
                        self.outbox.drop_about(about)
                    case Plan():
                        self.tasks.plan(effect)
                    case Unplan():
                        self.tasks.unplan(effect)
                    case StopRun() | Resolve() | Enter():
                        pass  # acts on this process after the commit, or has become a record
                    case _ as never:
                        assert_never(never)
            if now_ms > self.floor_ms:
                self.remember("floor_ms", now_ms)

    def _put(self, record: Record) -> None:
        table = rows.TABLES[type(record)]
        self.database.write(table.upsert, table.row(record))
        if isinstance(record, HouseholdRecord):
            self.logs.move_on(record)

    def _note(self, note: Note) -> None:
        event = EventRecord(
            digest=note.digest,
            seq=self.last_event_seq(note.digest) + 1,
            at_ms=note.at_ms,
            type=note.type,
            data=note.data,
            run_id=note.run_id,
        )
        self.database.write(rows.EVENTS.upsert, rows.EVENTS.row(event))

    def _owe(self, send: Send, signed: bytes) -> None:
        if send.keep is not None:
            kept = replace(send.keep, signed=signed)
            self.database.write(rows.ANSWERS.upsert, rows.ANSWERS.row(kept))
        if send.deliver:
            self.outbox.owe(send, signed)

    # -- dispatches ------------------------------------------------------------------------------------

    def dispatch(self, digest: str) -> DispatchRecord | None:
        return self._one(rows.DISPATCHES, "WHERE digest = ?", (digest,))

    def dispatch_named(self, dispatch_id: str) -> DispatchRecord | None:
        return self._one(rows.DISPATCHES, "WHERE dispatch_id = ?", (dispatch_id,))

    def dispatches_like(self, prefix: str, limit: int = 16) -> list[DispatchRecord]:
        """Return the dispatches whose id begins with `prefix` (hex digits and dashes only)."""
        clause = "WHERE dispatch_id >= ? AND dispatch_id < ? ORDER BY arrived_ms DESC LIMIT ?"
        return self._all(rows.DISPATCHES, clause, (prefix, prefix + "~", limit))

    def dispatch_for_key(self, idempotency_key: str) -> DispatchRecord | None:
        return self._one(rows.DISPATCHES, "WHERE idempotency_key = ?", (idempotency_key,))

    def page(self, box: Box, *, before: tuple[int, str] | None, limit: int) -> list[DispatchRecord]:
        """Return up to `limit` dispatches of a box, newest first, after the cursor (arrived_ms, digest)."""
        moment, digest = before or (2**53, "")
        clause = (
            "WHERE box IN (?, 'own') AND (arrived_ms, digest) < (?, ?)"
            " ORDER BY arrived_ms DESC, digest DESC LIMIT ?"
        )
        return self._all(rows.DISPATCHES, clause, (box, moment, digest, limit))

    def unfinished(self) -> list[DispatchRecord]:
        return self._all(rows.DISPATCHES, f"WHERE state NOT IN {_ENDED} ORDER BY arrived_ms", ())

    def on_edge(self, edge: str) -> list[DispatchRecord]:
        """Return the unfinished dispatches of one edge."""
        return [record for record in self.unfinished() if record.edge == edge]

    def arrivals(self, edge: str, since_ms: int) -> int:
        """Return how many dispatches an edge brought since then (for the daily limit, by index)."""
        ((count,),) = self.database.read(
            "SELECT count(*) FROM dispatches WHERE edge = ? AND box = 'inbox' AND arrived_ms > ?"
            " AND ended_code IS NOT 'daily_limit'",
            (edge, since_ms),
        )
        return int(count)

    # -- runs, events, approvals, rules ----------------------------------------------------------------

    def run(self, run_id: str) -> RunRecord | None:
        return self._one(rows.RUNS, "WHERE run_id = ?", (run_id,))

    def runs(self, digest: str) -> list[RunRecord]:
        return self._all(rows.RUNS, "WHERE digest = ? ORDER BY created_ms, run_id", (digest,))

    def runs_unfinished(self) -> list[RunRecord]:
        return self._all(rows.RUNS, f"WHERE state NOT IN {_RUN_OVER} ORDER BY created_ms", ())

    def runs_with_originals(self) -> list[RunRecord]:
        """Return the runs of which it is kept what they replaced, the first to go first."""
        return self._all(rows.RUNS, "WHERE undo_until_ms IS NOT NULL ORDER BY undo_until_ms", ())

    def events(self, digest: str, after_seq: int = 0) -> list[EventRecord]:
        return self._all(rows.EVENTS, "WHERE digest = ? AND seq > ? ORDER BY seq", (digest, after_seq))

    def last_event_seq(self, digest: str) -> int:
        ((seq,),) = self.database.read("SELECT max(seq) FROM events WHERE digest = ?", (digest,))
        return int(seq or 0)

    def approval(self, request_id: str) -> ApprovalRecord | None:
        return self._one(rows.APPROVALS, "WHERE request_id = ?", (request_id,))

    def approvals_like(self, prefix: str) -> list[ApprovalRecord]:
        clause = "WHERE request_id >= ? AND request_id < ? ORDER BY asked_ms LIMIT 16"
        return self._all(rows.APPROVALS, clause, (prefix, prefix + "~"))

    def approvals_open(self) -> list[ApprovalRecord]:
        return self._all(rows.APPROVALS, "WHERE state = 'open' ORDER BY asked_ms", ())

    def approvals_of(self, digest: str) -> list[ApprovalRecord]:
        return self._all(rows.APPROVALS, "WHERE digest = ? ORDER BY asked_ms", (digest,))

    def files(self, file_ids: Iterable[str]) -> dict[str, FileRecord]:
        """Return those of these files that were handed over and are still known."""
        found = (self._one(rows.FILES, "WHERE file_id = ?", (file_id,)) for file_id in file_ids)
        return {record.file_id: record for record in found if record is not None}

    def file_ids(self) -> list[str]:
        """Return the ids of all files that were handed over."""
        return [file_id for (file_id,) in self.database.read("SELECT file_id FROM files")]

    def forget_files(self, before_ms: int) -> None:
        """Forget what was handed over before then: it was sent since, or never will be."""
        self.database.write("DELETE FROM files WHERE created_ms < ?", (before_ms,))

    def rules(self) -> list[RuleRecord]:
        return self._all(rows.RULES, "ORDER BY created_ms", ())

    def rules_on(self, edge: str) -> list[RuleRecord]:
        return self._all(rows.RULES, "WHERE edge = ? ORDER BY created_ms", (edge,))

    # -- people ----------------------------------------------------------------------------------------

    def comparison(self, peer: str) -> ComparisonRecord | None:
        return self._one(rows.COMPARISONS, "WHERE peer = ?", (peer,))

    def contact(self, genesis: str) -> ContactRecord | None:
        return self._one(rows.CONTACTS, "WHERE genesis = ?", (genesis,))

    def contacts(self) -> list[ContactRecord]:
        return self._all(rows.CONTACTS, "ORDER BY address", ())

    def edge(self, edge: str) -> EdgeRecord | None:
        return self._one(rows.EDGES, "WHERE edge = ?", (edge,))

    def edges(self, direction: Direction | None = None) -> list[EdgeRecord]:
        if direction is None:
            return self._all(rows.EDGES, "ORDER BY created_ms", ())
        return self._all(rows.EDGES, "WHERE direction = ? ORDER BY created_ms", (direction,))

    def invitation(self, invitation_id: str) -> InvitationRecord | None:
        return self._one(rows.INVITATIONS, "WHERE invitation_id = ?", (invitation_id,))

    def invitations(self) -> list[InvitationRecord]:
        return self._all(rows.INVITATIONS, "ORDER BY created_ms DESC", ())

    # -- evidence ---------------------------------------------------------------------------

    def answer(self, digest: str) -> AnswerRecord | None:
        return self._one(rows.ANSWERS, "WHERE digest = ?", (digest,))

    def answers(self, about: str) -> list[AnswerRecord]:
        return self._all(rows.ANSWERS, "WHERE about = ? ORDER BY device, seq, at_ms", (about,))

    def answer_places(self, about: str, device: str) -> list[tuple[str, int, bool]]:
        """Return (digest, seq, held) of one device's answers to a dispatch in their order, without the bytes."""
        rows = self.database.read(
            "SELECT digest, seq, held FROM answers WHERE about = ? AND device = ? AND seq > 0 ORDER BY seq",
            (about, device),
        )
        return [(digest, seq, bool(held)) for digest, seq, held in rows]

    def answers_count(self, about: str) -> int:
        """Return how many answers about a dispatch, or checkpoints of an edge, are kept."""
        ((count,),) = self.database.read("SELECT COUNT(*) FROM answers WHERE about = ?", (about,))
        return int(count)

    def log_size(self, edge: str, device: str) -> int:
        """Return how many entries the checkpoints of one device say that its log of an edge has."""
        sql = "SELECT COALESCE(MAX(seq), 0) FROM answers WHERE about = ? AND device = ?"
        ((size,),) = self.database.read(sql, (edge, device))
        return int(size)

    def sent_over(self, edge: str) -> int:
        """Return how many tasks went over an edge from here."""
        sql = "SELECT COUNT(*) FROM dispatches INDEXED BY dispatches_sent WHERE edge = ? AND box = 'sent'"
        ((count,),) = self.database.read(sql, (edge,))
        return int(count)

    def answering(self, edge: str) -> list[str]:
        """Return the devices that have said the last word about a dispatch which was sent over an edge."""
        rows = self.database.read(
            "SELECT DISTINCT device FROM answers WHERE type IN ('result', 'declined')"
            " AND about IN (SELECT digest FROM dispatches WHERE edge = ? AND box = 'sent') ORDER BY device",
            (edge,),
        )
        return [str(device) for (device,) in rows]

    def last_words(self, edge: str, device: str) -> list[AnswerRecord]:
        """Return what one device has said last about each dispatch over an edge."""
        clause = (
            "WHERE device = ? AND type IN ('result', 'declined', 'refused', 'expired', 'cancelled')"
            " AND about IN (SELECT digest FROM dispatches WHERE edge = ?)"
        )
        return self._all(rows.ANSWERS, clause, (device, edge))

    # -- the household ---------------------------------------------------------------------------------

    def answered_twice(self, since_ms: int) -> list[DispatchRecord]:
        """Return what came or was sent since then and more than one device may have answered, the newest first."""
        clause = (
            "WHERE arrived_ms >= ? AND (accepted_decisions + declined_decisions > 1"
            " OR digest IN (SELECT digest FROM deeds)) ORDER BY arrived_ms DESC, digest"
        )
        return self._all(rows.DISPATCHES, clause, (since_ms,))

    def deeds(self, digest: str) -> list[DeedRecord]:
        """Return what one's other devices say that they did with a dispatch."""
        return self._all(rows.DEEDS, "WHERE digest = ? ORDER BY done_ms, device", (digest,))

    def handovers(self, digest: str) -> list[HandoverRecord]:
        """Return which of one's own devices gave a dispatch to which."""
        return self._all(rows.HANDOVERS, "WHERE digest = ? ORDER BY turn, giver", (digest,))

    def question(self, request_id: str) -> QuestionRecord | None:
        """Return a question of a run on another own device."""
        return self._one(rows.QUESTIONS, "WHERE request_id = ?", (request_id,))

    def questions_like(self, prefix: str) -> list[QuestionRecord]:
        clause = "WHERE request_id >= ? AND request_id < ? ORDER BY asked_ms LIMIT 16"
        return self._all(rows.QUESTIONS, clause, (prefix, prefix + "~"))

    def questions_open(self) -> list[QuestionRecord]:
        return self._all(rows.QUESTIONS, "WHERE state = 'open' ORDER BY asked_ms", ())

    def questions_of(self, digest: str) -> list[QuestionRecord]:
        return self._all(rows.QUESTIONS, "WHERE digest = ? ORDER BY asked_ms", (digest,))

    # -- plumbing --------------------------------------------------------------------------------------

    def _all(self, table: rows.Table[R], clause: str, parameters: Sequence[object]) -> list[R]:
        return [table.record(row) for row in self.database.read(f"{table.select} {clause}", parameters)]

    def _one(self, table: rows.Table[R], clause: str, parameters: Sequence[object]) -> R | None:
        return next(iter(self._all(table, clause, parameters)), None)
