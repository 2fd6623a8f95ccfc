"""How an apply ended."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ApplyStatus(StrEnum):
    """`applied`: all of it. `not_applied`: nothing was touched. `conflict`: undone, except where it says."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    CONFLICT = "conflict"


class Clash(StrEnum):
    """Why a path stood in the way."""

    DRIFT = "changed_during_run"
    CHANGED = "changed_since_review"
    MIDWAY = "changed_during_apply"
    UNWRITABLE = "cannot_be_written"
    NOT_UNDONE = "left_as_found"


class Conflict(NamedTuple):
    """A path that stood in the way. `NOT_UNDONE` is a path of which the human's version was left in place."""

    path: str
    clash: Clash


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """How an apply ended, and every path that stood in the way."""

    status: ApplyStatus
    conflicts: tuple[Conflict, ...] = ()
