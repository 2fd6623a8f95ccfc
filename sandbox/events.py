"""What comes out of a sandboxed run, in the order it happens.

A run is `Started`, then what the agent `Said` and `Thought`, a `CallProposed` for every call that reaches the gate,
a `CallFinished` for every call that ran, and exactly one `Ended`. The daemon turns these into its own trace; the sandbox keeps none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.job import ToolCall, ToolResult

Outcome = Literal["success", "blocked", "failed"]


@dataclass(frozen=True, slots=True)
class Confinement:
    """Which walls stood around a run, as found at its start and not as hoped for.

    `layers` names the walls (`namespaces`, `seccomp`, `landlock-7`, `copy-on-write`, …), `limits_by` what
    enforced the memory and process limits (`cgroup` or `watchdog`), `warnings` what the owner should know.
    """

    layers: tuple[str, ...]
    limits_by: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The wall stands and the helper inside has answered."""

    confinement: Confinement


@dataclass(frozen=True, slots=True)
class Said:
    """The agent spoke; whatever it says is its own and proves nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """The agent showed its reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class CallProposed:
    """A call was put to the gate; nothing has run yet."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A call ran to its end inside the wall."""

    result: ToolResult


@dataclass(frozen=True, slots=True)
class Noted:
    """Something the owner should know of how the agent behaves, in one sentence of ours."""

    text: str


@dataclass(frozen=True, slots=True)
class Crossed:
    """Something inside asked to leave the wall: `allowed` says whether it may, before it does; `code` why not."""

    allowed: bool
    what: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over. `reason_code` is empty on success, else a stable word.

    `session` is where the agent can be taken up again, when the run was set aside (`parked`).
    """

    outcome: Outcome
    reason_code: str = ""
    detail: str = ""
    session: Mapping[str, object] | None = None


Event = Started | Said | Thought | CallProposed | CallFinished | Noted | Crossed | Ended
