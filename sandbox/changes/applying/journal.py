"""The durable memory of one apply: what was planned, how far it came, how it ended.

Each stage of an apply is one file that is there and whole, or not there: `plan` before anything is staged,
`intent` when everything is staged and on the disk (from here on recovery rolls forward), `reverting` when
something was in the way, `committed` or `reverted` when the last rename is done, `outcome` when nothing is left
to do. How far the renames came is not written down at all. The disk itself tells, because each step leaves a
different picture before and after, until the clearing away begins.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.plan import Chmod, Plan, Root, Step
from sandbox.changes.applying.trees import Known, Node
from sandbox.changes.beneath import look
from sandbox.changes.change import Kind, Stamp
from sandbox.changes.outcome import ApplyOutcome, ApplyStatus, Clash, Conflict
from sandbox.errors import ChangesetError

_VERSION = 1
_PLAN = "plan.json"
_INTENT = "intent.json"
_COMMITTED = "committed.json"
_REVERTING = "reverting.json"
_REVERTED = "reverted.json"
_OUTCOME = "outcome.json"
_ORIGINALS = "originals"


class Journal:
    """One apply's journal directory, open."""

    def __init__(self, dir_fd: int, disk: Disk) -> None:
        self._dir_fd = dir_fd
        self._disk = disk

    def begin(self, plan: Plan) -> None:
        """Write the plan down; from now on names beside the targets may exist."""
        if look(self._dir_fd, _ORIGINALS) is None:
            self._disk.make_directory(self._dir_fd, _ORIGINALS)
        self._write(_PLAN, _encode_plan(plan))

    def plan(self) -> Plan | None:
        """Return the plan, or None when nothing was begun."""
        value = self._read(_PLAN)
        return None if value is None else _decode_plan(value)

    def intend(self, staged: Iterable[int | None]) -> None:
        """Write down that everything is staged; each step's staged inode tells it from what it replaces."""
        self._write(_INTENT, list(staged))

    def staged(self) -> list[int | None] | None:
        """Return the staged inodes, or None when the staging was never finished."""
        value = self._read(_INTENT)
        return None if value is None else _decode_staged(value)

    def commit(self) -> None:
        """Write down that every step is done."""
        self._write(_COMMITTED, True)

    def committed(self) -> bool:
        """Say whether every step was done."""
        return self._read(_COMMITTED) is not None

    def revert(self, conflicts: Iterable[Conflict]) -> None:
        """Write down that the steps done so far are to be undone, and why."""
        self._write(_REVERTING, _encode_conflicts(conflicts))

    def reverting(self) -> tuple[Conflict, ...] | None:
        """Return why the steps are being undone, or None when they are not."""
        value = self._read(_REVERTING)
        return None if value is None else _decode_conflicts(value)

    def finish_reverting(self, conflicts: Iterable[Conflict]) -> None:
        """Write down that everything is undone that could be, and what stood in the way."""
        self._write(_REVERTED, _encode_conflicts(conflicts))

    def reverted(self) -> tuple[Conflict, ...] | None:
        """Return what stood in the way of a finished undoing, or None when there was none or it goes on."""
        value = self._read(_REVERTED)
        return None if value is None else _decode_conflicts(value)

    def close(self, outcome: ApplyOutcome) -> None:
        """Write down how it ended."""
        self._write(_OUTCOME, [outcome.status, _encode_conflicts(outcome.conflicts)])

    def outcome(self) -> ApplyOutcome | None:
        """Return how it ended, or None when it has not."""
        value = self._read(_OUTCOME)
        return None if value is None else _decode_outcome(value)

    def open_originals(self) -> int:
        """Open the directory that keeps what was replaced, one entry per step, for an undo."""
        return os.open(_ORIGINALS, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._dir_fd)

    def _write(self, name: str, value: object) -> None:
        text = json.dumps(value, separators=(",", ":"))
        self._disk.record(self._dir_fd, name, text.encode("ascii"))

    def _read(self, name: str) -> Any:
        try:
            with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._dir_fd), "rb") as file:
                return json.loads(file.read())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ChangesetError("journal_damaged", f"the journal's {name} cannot be read") from error


def _encode_plan(plan: Plan) -> dict[str, object]:
    """Return a plan as JSON: rows, because there can be ten thousand of them."""
    return {
        "v": _VERSION,
        "digest": plan.digest,
        "roots": [[root.path, root.ino] for root in plan.roots],
        "unlocks": [_chmod_row(chmod) for chmod in plan.unlocks],
        "steps": [
            [
                step.root,
                step.path,
                step.stage,
                [_known_row(one) for one in step.before],
                [_node_row(one) for one in step.after],
            ]
            for step in plan.steps
        ],
        "chmods": [_chmod_row(chmod) for chmod in plan.chmods],
        "locks": [_chmod_row(chmod) for chmod in plan.locks],
    }


def _chmod_row(chmod: Chmod) -> list[object]:
    return [chmod.root, chmod.path, chmod.ino, chmod.old_mode, chmod.new_mode]


def _known_row(known: Known) -> list[object]:
    stamp = known.stamp
    return [known.path, known.sha256, stamp.ino, stamp.mode, stamp.size_bytes, stamp.mtime_ns, stamp.ctime_ns]


def _node_row(node: Node) -> list[object]:
    return [node.path, node.kind, node.mode, node.sha256, node.target]


def _decode_plan(value: Any) -> Plan:
    """Return the plan that was written down."""
    with _read_as_written("plan"):
        if value["v"] != _VERSION:
            raise ValueError(value["v"])
        return Plan(
            digest=value["digest"],
            roots=tuple(Root(*row) for row in value["roots"]),
            unlocks=tuple(Chmod(*row) for row in value["unlocks"]),
            steps=tuple(
                Step(
                    root,
                    path,
                    stage,
                    tuple(Known(row[0], Stamp(*row[2:]), row[1]) for row in before),
                    tuple(Node(row[0], Kind(row[1]), *row[2:]) for row in after),
                )
                for root, path, stage, before, after in value["steps"]
            ),
            chmods=tuple(Chmod(*row) for row in value["chmods"]),
            locks=tuple(Chmod(*row) for row in value["locks"]),
        )


def _encode_conflicts(conflicts: Iterable[Conflict]) -> list[list[str]]:
    return [[conflict.path, conflict.clash] for conflict in conflicts]


def _decode_staged(value: Any) -> list[int | None]:
    with _read_as_written(_INTENT):
        return [None if ino is None else int(ino) for ino in value]


def _decode_outcome(value: Any) -> ApplyOutcome:
    with _read_as_written(_OUTCOME):
        status, conflicts = value
        return ApplyOutcome(ApplyStatus(status), _decode_conflicts(conflicts))


def _decode_conflicts(value: Any) -> tuple[Conflict, ...]:
    with _read_as_written("list of conflicts"):
        return tuple(Conflict(str(path), Clash(clash)) for path, clash in value)


@contextmanager
def _read_as_written(name: str) -> Iterator[None]:
    """Turn whatever a damaged file makes of its reader into one error."""
    try:
        yield
    except (IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ChangesetError("journal_damaged", f"the journal's {name} cannot be read") from error
