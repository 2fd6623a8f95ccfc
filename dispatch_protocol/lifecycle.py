"""The two tables of a dispatch and of a run, the one function that moves them, and the one status people see.

A pair that is not in a table is refused, whoever asks: `advance` knows no roles and so cannot be lenient to its own.
The author and the recipient keep the same two tables; only what moves them differs. The diagrams of
`docs/PROTOCOL.md` are drawn from these tables by `mermaid`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from dispatch_protocol.errors import LocalError


class DispatchState(StrEnum):
    """Where a dispatch stands. `expired` at the author is presumed: a later answer of the recipient corrects it."""

    DRAFT = "draft"
    BLOCKED = "blocked"
    HELD = "held"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    WAITING_INPUT = "waiting_input"
    FINISHED = "finished"
    DECLINED = "declined"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class RunState(StrEnum):
    """Where one execution of a dispatch stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    SETTLING = "settling"
    APPLYING = "applying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a run ended: every run ends with exactly one of these."""

    SUCCESS = "success"
    BLOCKED = "blocked"
    NEED_INPUT = "need_input"
    FAILED = "failed"


class Status(StrEnum):
    """The one word that people and programs see for a dispatch."""

    WAITING = "waiting"
    HELD = "held"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    WAITING_INPUT = "waiting_input"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CONFLICT = "conflict"


_State = TypeVar("_State", DispatchState, RunState)

_D = DispatchState
DISPATCH: Final[Mapping[DispatchState, frozenset[DispatchState]]] = MappingProxyType(
    {
        _D.DRAFT: frozenset({_D.BLOCKED, _D.QUEUED}),
        _D.BLOCKED: frozenset({_D.QUEUED, _D.HELD, _D.CANCELLED}),
        _D.HELD: frozenset({_D.QUEUED, _D.CANCELLED}),
        _D.QUEUED: frozenset({_D.SENT, _D.REFUSED, _D.EXPIRED, _D.CANCELLED}),
        _D.SENT: frozenset(
            {_D.DELIVERED, _D.ACCEPTED, _D.DECLINED, _D.REFUSED, _D.EXPIRED, _D.CANCELLED},
        ),
        _D.DELIVERED: frozenset({_D.ACCEPTED, _D.DECLINED, _D.REFUSED, _D.EXPIRED, _D.CANCELLED}),
        _D.EXPIRED: frozenset({_D.DELIVERED, _D.ACCEPTED, _D.DECLINED, _D.REFUSED, _D.CANCELLED}),
        _D.ACCEPTED: frozenset({_D.WAITING_INPUT, _D.FINISHED}),
        _D.WAITING_INPUT: frozenset({_D.ACCEPTED, _D.FINISHED}),
        _D.FINISHED: frozenset(),
        _D.DECLINED: frozenset(),
        _D.REFUSED: frozenset(),
        _D.CANCELLED: frozenset(),
    }
)

# What only the author's own machine believes: that a relay refused a task, or that a cancelled one had never left. The
# first signed answer proves that the recipient has it, and takes the end back; then the table goes on. A presumed
# expiry needs no entry here: its corrections are pairs of the table.
TAKEN_BACK: Final[Mapping[DispatchState, DispatchState]] = MappingProxyType(
    {_D.REFUSED: _D.SENT, _D.CANCELLED: _D.SENT}
)

_R = RunState
RUN: Final[Mapping[RunState, frozenset[RunState]]] = MappingProxyType(
    {
        _R.QUEUED: frozenset({_R.RUNNING, _R.FAILED, _R.CANCELLED}),
        _R.RUNNING: frozenset({_R.WAITING_APPROVAL, _R.SETTLING, _R.FAILED, _R.CANCELLED}),
        _R.WAITING_APPROVAL: frozenset({_R.RUNNING, _R.APPLYING, _R.FAILED, _R.CANCELLED}),
        _R.SETTLING: frozenset(
            {_R.WAITING_APPROVAL, _R.APPLYING, _R.COMPLETED, _R.FAILED, _R.CANCELLED},
        ),
        _R.APPLYING: frozenset({_R.COMPLETED, _R.FAILED}),
        _R.COMPLETED: frozenset(),
        _R.FAILED: frozenset(),
        _R.CANCELLED: frozenset(),
    }
)

_RUN_STATUS: Final[Mapping[RunState, Status]] = MappingProxyType(
    {
        _R.QUEUED: Status.ACCEPTED,
        _R.RUNNING: Status.RUNNING,
        _R.WAITING_APPROVAL: Status.WAITING_APPROVAL,
        _R.SETTLING: Status.RUNNING,
        _R.APPLYING: Status.RUNNING,
        # The run is over and the dispatch is about to finish or to wait for input; until then nothing runs.
        _R.COMPLETED: Status.ACCEPTED,
        _R.FAILED: Status.ACCEPTED,
        _R.CANCELLED: Status.ACCEPTED,
    }
)

_FINISHED_STATUS: Final[Mapping[RunState, Status]] = MappingProxyType(
    {_R.COMPLETED: Status.COMPLETED, _R.FAILED: Status.FAILED, _R.CANCELLED: Status.CANCELLED}
)

_NAMED_STATUS: Final[Mapping[DispatchState, Status]] = MappingProxyType(
    {_D.BLOCKED: Status.WAITING}
    | {
        state: Status(state.value)
        for state in _D
        if state not in {_D.DRAFT, _D.BLOCKED, _D.ACCEPTED, _D.FINISHED}
    }
)


def advance(table: Mapping[_State, frozenset[_State]], state: _State, to: _State) -> _State:
    """Return `to` if the table has the pair.

    Raises:
        LocalError: `bad_transition`; the caller tried to move a state along a pair that is not in the table.
    """
    if to not in table[state]:
        raise LocalError("bad_transition", f"{type(state).__name__} {state} does not become {to}")
    return to


def is_final(table: Mapping[_State, frozenset[_State]], state: _State) -> bool:
    """Return whether nothing follows `state` in the table."""
    return not table[state]


def run_end(outcome: Outcome) -> RunState:
    """Return the state in which a run with this outcome ended; only a success completes."""
    return RunState.COMPLETED if outcome is Outcome.SUCCESS else RunState.FAILED


def status(
    dispatch: DispatchState,
    runs: Sequence[RunState | Outcome] = (),
    accepted_decisions: int = 0,
    declined_decisions: int = 0,
) -> Status:
    """Return the status people see: one function of both tables (`docs/PROTOCOL.md`, section 9).

    `runs` are in order, the last one is the present one; an author who knows only how a run ended gives its outcome.

    Raises:
        LocalError: `no_status` for a draft, which is never shown, and for a finished dispatch without a finished run.
    """
    if accepted_decisions > 1 or (accepted_decisions and declined_decisions):
        return Status.CONFLICT
    last = _run_state(runs[-1]) if runs else None
    if dispatch is DispatchState.FINISHED:
        if last is None or last not in _FINISHED_STATUS:
            raise LocalError("no_status", "a finished dispatch has a finished run")
        return _FINISHED_STATUS[last]
    if dispatch is DispatchState.ACCEPTED:
        return Status.ACCEPTED if last is None else _RUN_STATUS[last]
    if dispatch is DispatchState.DRAFT:
        raise LocalError("no_status", "a draft is never shown")
    return _NAMED_STATUS[dispatch]


def _run_state(run: RunState | Outcome) -> RunState:
    return run_end(run) if isinstance(run, Outcome) else run


def mermaid(table: Mapping[_State, frozenset[_State]]) -> str:
    """Return the table as a Mermaid `stateDiagram-v2`, states in their declared order; ends without a newline."""
    order = list(table)
    lines = ["stateDiagram-v2", f"    [*] --> {order[0]}"]
    for state in order:
        lines += [f"    {state} --> {to}" for to in sorted(table[state], key=order.index)]
        if is_final(table, state):
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)
