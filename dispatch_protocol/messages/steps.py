"""Signed steps: the tool calls of the agent `steps`, in the shape of the steps file.

They stand in the task, so that the recipient's human sees before accepting exactly what will be called. Whether a tool
exists and its input makes sense is the sandbox's to say; here they are bounded and strictly shaped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatch_protocol.body import read_object
from dispatch_protocol.encoding import JSON, Fields, dumps
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import NAME_CHARS, STEPS, STEPS_BYTES
from dispatch_protocol.messages.files import check_name

_TOOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Step:
    """One tool call; `save_as` makes its output an artifact, `allow_failure` goes on when it fails."""

    tool: str
    input: Mapping[str, JSON]
    save_as: str | None = None
    allow_failure: bool = False

    def write(self) -> dict[str, JSON]:
        """Return the step as JSON."""
        return {
            "tool": self.tool,
            "input": dict(self.input),
            "save_as": self.save_as,
            "allow_failure": self.allow_failure,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Step":
        """Read a step strictly; raises MalformedError."""
        step = cls(
            tool=fields.text("tool", max_chars=64),
            input=read_object(fields, "input", max_bytes=STEPS_BYTES),
            save_as=fields.optional(fields.text, "save_as", max_chars=NAME_CHARS),
            allow_failure=fields.boolean("allow_failure"),
        )
        fields.done()
        if not _TOOL.fullmatch(step.tool):
            raise MalformedError(f"{fields.where}.tool is no name of a tool")
        if step.save_as is not None:
            check_name(step.save_as, f"{fields.where}.save_as")
        return step


def read_steps(fields: Fields, name: str) -> tuple[Step, ...]:
    """Read the steps of a task: at most 1,000, and 256 KiB together in canonical form; raises MalformedError."""
    steps = tuple(Step.read(entry) for entry in fields.many(name, max_items=STEPS))
    if steps and len(dumps([step.write() for step in steps])) > STEPS_BYTES:
        raise MalformedError(f"{fields.where}.{name} is longer than {STEPS_BYTES} bytes")
    return steps
