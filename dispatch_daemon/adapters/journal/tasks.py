"""The effects table: the one owner of everything this daemon still has to do.

A task is owed from the commit that planned it until the commit that settles it. `boot` and `lease_ms` say
which life of the daemon took it up: after a crash a task that may be repeated is simply due again, and one
that may not (a run) is found `taken` by another life and is ended honestly instead.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from dispatch_daemon.adapters.journal.database import Database
from dispatch_daemon.core.effects import Plan, TaskKind, Unplan
from dispatch_protocol.encoding import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row: `state` is due, taken or unknown (taken by a life that ended before it said how it went)."""

    kind: TaskKind
    key: str
    attempts: int
    not_before_ms: int
    state: str
    payload: dict[str, JSON]


_COLUMNS = "kind, key, attempts, not_before_ms, state, payload"


class Tasks:
    """Plan, take and settle tasks; `boot` names this life of the daemon."""

    def __init__(self, database: Database, *, boot: str, epoch: int) -> None:
        self._database = database
        self._boot = boot
        self._epoch = epoch

    def plan(self, plan: Plan) -> None:
        self._database.write(
            "INSERT INTO tasks (kind, key, epoch, boot, lease_ms, not_before_ms, attempts, state, payload)"
            " VALUES (?, ?, ?, '', NULL, ?, 0, 'due', ?) ON CONFLICT (kind, key) DO UPDATE SET"
            " not_before_ms = excluded.not_before_ms, payload = excluded.payload, state = 'due', attempts = 0",
            (plan.kind, plan.key, self._epoch, plan.not_before_ms, json.dumps(plan.payload, sort_keys=True)),
        )

    def unplan(self, unplan: Unplan) -> None:
        self._database.write("DELETE FROM tasks WHERE kind = ? AND key = ?", (unplan.kind, unplan.key))

    def due(self, kinds: Sequence[TaskKind], now_ms: int, limit: int = 256) -> list[Task]:
        """Return due tasks of these kinds, longest due first."""
        marks = ", ".join("?" * len(kinds))
        return self._tasks(
            f"WHERE state = 'due' AND not_before_ms <= ? AND kind IN ({marks}) ORDER BY not_before_ms LIMIT ?",
            (now_ms, *kinds, limit),
        )

    def next_due_ms(self, kinds: Sequence[TaskKind]) -> int | None:
        """Return when the next task of these kinds falls due, or None."""
        marks = ", ".join("?" * len(kinds))
        ((moment,),) = self._database.read(
            f"SELECT min(not_before_ms) FROM tasks WHERE state = 'due' AND kind IN ({marks})", tuple(kinds)
        )
        return moment if moment is None else int(moment)

    def get(self, kind: TaskKind, key: str) -> Task | None:
        return next(iter(self._tasks("WHERE kind = ? AND key = ?", (kind, key))), None)

    def keys(self, kind: TaskKind) -> list[str]:
        """Return what is owed of one kind."""
        return [key for (key,) in self._database.read("SELECT key FROM tasks WHERE kind = ?", (kind,))]

    def take(self, task: Task, now_ms: int) -> bool:
        """Mark a due task as being done by this life; False if somebody else has it."""
        changed = self._database.write(
            "UPDATE tasks SET state = 'taken', boot = ?, lease_ms = ?, attempts = attempts + 1"
            " WHERE kind = ? AND key = ? AND state = 'due'",
            (self._boot, now_ms, task.kind, task.key),
        )
        return changed == 1

    def taken(self, kinds: Sequence[TaskKind]) -> list[Task]:
        """Return the tasks of these kinds that are being done."""
        marks = ", ".join("?" * len(kinds))
        return self._tasks(f"WHERE state = 'taken' AND kind IN ({marks})", tuple(kinds))

    def retry(self, task: Task, not_before_ms: int) -> None:
        """Give a taken task back, due at `not_before_ms`; one settled in the meantime stays settled."""
        self._database.write(
            "UPDATE tasks SET state = 'due', not_before_ms = ? WHERE kind = ? AND key = ? AND state = 'taken'",
            (not_before_ms, task.kind, task.key),
        )

    def hasten(self, kind: TaskKind, now_ms: int) -> None:
        """Make every waiting task of a kind due now (the relay is reachable again)."""
        self._database.write(
            "UPDATE tasks SET not_before_ms = ? WHERE kind = ? AND state = 'due' AND not_before_ms > ?",
            (now_ms, kind, now_ms),
        )

    def adopt_orphans(self) -> list[Task]:
        """Return the tasks an earlier life had taken and mark them `unknown`; call once, at start."""
        self._database.write(
            "UPDATE tasks SET state = 'unknown' WHERE state = 'taken' AND boot <> ?", (self._boot,)
        )
        return self._tasks("WHERE state = 'unknown'", ())

    def release(self, task: Task) -> None:
        """Make an orphan due again: its kind may be repeated."""
        self._database.write(
            "UPDATE tasks SET state = 'due' WHERE kind = ? AND key = ? AND state = 'unknown'",
            (task.kind, task.key),
        )

    def _tasks(self, clause: str, parameters: Sequence[object]) -> list[Task]:
        rows = self._database.read(f"SELECT {_COLUMNS} FROM tasks {clause}", parameters)
        return [
            Task(
                kind=TaskKind(kind),
                key=key,
                attempts=attempts,
                not_before_ms=not_before_ms,
                state=state,
                payload=json.loads(payload),
            )
            for kind, key, attempts, not_before_ms, state, payload in rows
        ]
