"""What a run did and left: its events, its changes with their diffs, what it used and what held it.

These are the parts of a result. Names and meanings are those of the command line's JSON, so that a person who reads
`dispatch status --json` on either side reads the same words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dispatch_protocol.body import read_object, read_word
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import DIFF_BYTES, PATH_CHARS, REASON_CHARS

EVENT_BYTES: Final = 256 * 1024
FLAGS: Final = 32
LAYERS: Final = 32
MODE_MAX: Final = 0o7777


class EventType(StrEnum):
    """The closed list of what a trace may say."""

    REQUEST_CREATED = "dispatch.request.created"
    DECISION_MADE = "dispatch.decision.made"
    SCHEDULED = "dispatch.scheduled"
    COMPLETED = "dispatch.completed"
    STATUS = "status"  # {status}: the dispatch moved
    RUN_STARTED = "run_started"
    RUN_STATE = "run_state"  # {state}: the run moved
    TOOL_CALL = "tool_call"  # {call_id, tool, input}
    TOOL_RESULT = "tool_result"  # {call_id, ok, output, truncated, exit_code}
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_DECIDED = "approval_decided"
    MESSAGE = "message"  # {text}: what the agent says
    REASONING = "reasoning"  # {text}: what the agent thinks
    CHANGESET = "changeset"
    APPLIED = "applied"
    DISCARDED = "discarded"
    UNDONE = "undone"  # {changes}: what was applied here was taken back; no result tells it
    ARTIFACT = "artifact"
    FILES = (
        "files"  # {state: here | missing | bad, name, code}: the files that came with it, or with its result
    )
    WARNING = "warning"
    GATE = "gate"  # {allowed, what, code, effects}: something inside asked to leave the wall
    CANCEL_REQUESTED = "cancel_requested"
    RUN_ENDED = "run_ended"  # {outcome, code}


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

    def write(self) -> dict[str, JSON]:
        """Return the change as JSON."""
        return {
            "op": self.op.value,
            "path": self.path,
            "kind": self.kind,
            "old_mode": self.old_mode,
            "new_mode": self.new_mode,
            "size": self.size_bytes,
            "sha256": None if self.sha256 is None else self.sha256.hex,
            "target": self.target,
            "flags": list(self.flags),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Change":
        """Read a change strictly; raises MalformedError."""
        sha256 = fields.optional(fields.hex, "sha256", Digest.LENGTH)
        change = cls(
            op=fields.choice("op", ChangeOp),
            path=fields.text("path", min_chars=1, max_chars=PATH_CHARS),
            kind=read_word(fields, "kind"),
            old_mode=fields.optional(fields.integer, "old_mode", maximum=MODE_MAX),
            new_mode=fields.optional(fields.integer, "new_mode", maximum=MODE_MAX),
            size_bytes=fields.optional(fields.integer, "size"),
            sha256=None if sha256 is None else Digest(sha256),
            target=fields.optional(fields.text, "target", max_chars=PATH_CHARS),
            flags=fields.texts("flags", max_items=FLAGS, min_chars=1, max_chars=64),
        )
        fields.done()
        return change


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """One file's unified diff; `text` is empty for a binary file."""

    path: str
    text: str
    truncated: bool = False
    binary: bool = False

    def write(self) -> dict[str, JSON]:
        """Return the diff as JSON."""
        return {"path": self.path, "text": self.text, "truncated": self.truncated, "binary": self.binary}

    @classmethod
    def read(cls, fields: Fields) -> "FileDiff":
        """Read a diff strictly; raises MalformedError."""
        diff = cls(
            path=fields.text("path", min_chars=1, max_chars=PATH_CHARS),
            text=fields.text("text", max_chars=DIFF_BYTES),
            truncated=fields.boolean("truncated"),
            binary=fields.boolean("binary"),
        )
        fields.done()
        return diff


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a run's trace; `seq` counts from 1 within the run, `data` belongs to the type."""

    seq: int
    at_ms: int
    type: EventType
    data: Mapping[str, JSON]

    def write(self) -> dict[str, JSON]:
        """Return the event as JSON."""
        return {"seq": self.seq, "at": self.at_ms, "type": self.type.value, "data": dict(self.data)}

    @classmethod
    def read(cls, fields: Fields) -> "Event":
        """Read an event strictly; raises MalformedError."""
        event = cls(
            seq=fields.integer("seq", minimum=1),
            at_ms=fields.integer("at"),
            type=fields.choice("type", EventType),
            data=read_object(fields, "data", max_bytes=EVENT_BYTES),
        )
        fields.done()
        return event


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run used; None is unknown. Money is counted in millionths of a US dollar."""

    tool_calls: int | None = None
    turns: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_microusd: int | None = None

    def write(self) -> dict[str, JSON]:
        """Return the usage as JSON."""
        return {
            "tool_calls": self.tool_calls,
            "turns": self.turns,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_microusd": self.cost_microusd,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Usage":
        """Read usage strictly; raises MalformedError."""
        usage = cls(
            tool_calls=fields.optional(fields.integer, "tool_calls"),
            turns=fields.optional(fields.integer, "turns"),
            input_tokens=fields.optional(fields.integer, "input_tokens"),
            output_tokens=fields.optional(fields.integer, "output_tokens"),
            cost_microusd=fields.optional(fields.integer, "cost_microusd"),
        )
        fields.done()
        return usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """Which walls held the run, what enforced its limits, and what the recipient was warned of."""

    layers: tuple[str, ...]
    limits_by: str
    warnings: tuple[str, ...] = ()

    def write(self) -> dict[str, JSON]:
        """Return the confinement as JSON."""
        return {"layers": list(self.layers), "limits_by": self.limits_by, "warnings": list(self.warnings)}

    @classmethod
    def read(cls, fields: Fields) -> "Confinement":
        """Read a confinement strictly; raises MalformedError."""
        confinement = cls(
            layers=fields.texts("layers", max_items=LAYERS, min_chars=1, max_chars=64),
            limits_by=fields.text("limits_by", max_chars=64),
            warnings=fields.texts("warnings", max_items=LAYERS, min_chars=1, max_chars=REASON_CHARS),
        )
        fields.done()
        return confinement
