"""What a run did and left: its events, its changes with their diffs, its artifacts, what it used and what held it.

These are the parts of a result. Names and meanings are those of the command line's JSON, so that a person who reads
`dispatch status --json` on either side reads the same words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.task import Blob


class EventType(StrEnum):
    """The closed list of what a trace may say."""

    REQUEST_CREATED = "dispatch.request.created"
    DECISION_MADE = "dispatch.decision.made"
    SCHEDULED = "dispatch.scheduled"
    COMPLETED = "dispatch.completed"
    STATUS = "status"
    RUN_STARTED = "run_started"
    RUN_STATE = "run_state"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_DECIDED = "approval_decided"
    MESSAGE = "message"
    REASONING = "reasoning"
    CHANGESET = "changeset"
    APPLIED = "applied"
    DISCARDED = "discarded"
    ARTIFACT = "artifact"
    WARNING = "warning"
    CANCEL_REQUESTED = "cancel_requested"
    RUN_ENDED = "run_ended"


class ChangeOp(StrEnum):
    """What happened to one path."""

    CREATE = "create"
    MODIFY = "modify"
    DELETE = "delete"
    RENAME = "rename"
    MODE = "mode"
    SYMLINK = "symlink"
    MKDIR = "mkdir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path of a changeset; `target` is a symbolic link's target or the new path of a rename."""

    op: ChangeOp
    path: str
    kind: str
    old_mode: int | None = None
    new_mode: int | None = None
    size_bytes: int | None = None
    sha256: Digest | None = None
    target: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """One file's unified diff; `text` is empty for a binary file."""

    path: str
    text: str
    truncated: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file the run produced; `blob` says where its bytes lie, or None when only its digest is told."""

    name: str
    kind: str
    mime_type: str
    size_bytes: int
    sha256: Digest
    blob: Blob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a run's trace; `seq` counts from 1 within the run, `data` belongs to the type."""

    seq: int
    at_ms: int
    type: EventType
    data: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run used; None is unknown. Money is counted in millionths of a US dollar."""

    tool_calls: int | None = None
    turns: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_microusd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """Which walls held the run, what enforced its limits, and what the recipient was warned of."""

    layers: tuple[str, ...]
    limits_by: str
    warnings: tuple[str, ...] = ()
