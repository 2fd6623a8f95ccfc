"""Tools that are not inside: those of a server outside the wall, named `mcp__SERVER__TOOL`, with inputs of their own shape.

Which of them a run may call is decided by whoever opens its box; what such a tool accepts only its server knows. Here a call
is bounded, and everything in it can be shown.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.tools.inputs import InputError

PREFIX = "mcp__"
INPUT_BYTES = 128 * 1024
_DEPTH = 32
_NAME = re.compile(r"mcp__[A-Za-z0-9_-]{1,59}")


@dataclass(frozen=True, slots=True)
class ForeignTool:
    """One tool as its server describes it: words and a JSON Schema, for a model and for nobody else."""

    name: str
    description: str
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "object"})


def is_foreign(tool: str) -> bool:
    """Return whether a name is that of a tool outside."""
    return tool.startswith(PREFIX)


def is_name(tool: str) -> bool:
    """Return whether a tool outside can have this name."""
    return _NAME.fullmatch(tool) is not None


def check(tool: str, given: Mapping[str, object]) -> None:
    """Check a call of a tool outside.

    Raises:
        InputError: No such name is possible, or the input is too large or cannot be shown.
    """
    if not is_name(tool):
        raise InputError(f"{tool[:64]!r} names no tool of a server")
    try:
        size = len(json.dumps(given, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, TypeError, RecursionError):
        raise InputError(f"the input of {tool} is no JSON") from None
    if size > INPUT_BYTES:
        raise InputError(f"the input of {tool} is longer than {INPUT_BYTES:,} bytes")
    if _depth(given) > _DEPTH:
        raise InputError(f"the input of {tool} is nested too deeply")


def _depth(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list | tuple):
        return 1 + max(map(_depth, value), default=0)
    return 0
