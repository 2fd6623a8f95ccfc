"""What each tool accepts: one table, checked outside before a call is shown and inside before it runs.

The shapes are Claude Code's. A field that is not in the table is refused rather than ignored, because a person
who approves a call must not be shown a field that means nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MAX_TEXT_CHARS = 1_000_000
MAX_TIMEOUT_MS = 600_000
DEFAULT_TIMEOUT_MS = 120_000


class InputError(ValueError):
    """A call's input does not fit its tool; the message names the field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a tool's input. `kind` is its exact type; `choices` closes the set of its values."""

    kind: type[str] | type[int] | type[bool]
    required: bool = False
    smallest: int = 0
    largest: int = 2**31 - 1
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False


_TEXT = Field(str, required=True)
_ANY_TEXT = Field(str, required=True, may_be_empty=True)
_PATH = Field(str)
_COUNT = Field(int)
_FLAG = Field(bool)

INPUTS: dict[str, dict[str, Field]] = {
    "Read": {"file_path": _TEXT, "offset": _COUNT, "limit": Field(int, smallest=1)},
    "Glob": {"pattern": _TEXT, "path": _PATH},
    "Grep": {
        "pattern": _TEXT,
        "path": _PATH,
        "glob": _PATH,
        "type": _PATH,
        "output_mode": Field(str, choices=("content", "files_with_matches", "count")),
        "-A": _COUNT,
        "-B": _COUNT,
        "-C": _COUNT,
        "context": _COUNT,
        "-i": _FLAG,
        "-n": _FLAG,
        "multiline": _FLAG,
        "head_limit": _COUNT,
        "offset": _COUNT,
    },
    "Write": {"file_path": _TEXT, "content": _ANY_TEXT},
    "Edit": {"file_path": _TEXT, "old_string": _ANY_TEXT, "new_string": _ANY_TEXT, "replace_all": _FLAG},
    "Bash": {
        "command": _TEXT,
        "timeout": Field(int, smallest=1, largest=MAX_TIMEOUT_MS),
        "description": Field(str, may_be_empty=True),
    },
}


def check(tool: str, given: Mapping[str, object]) -> None:
    """Check an input against its tool's table.

    Raises:
        InputError: Unknown tool, unknown or missing field, wrong type, empty text or value out of range.
    """
    fields = INPUTS.get(tool)
    if fields is None:
        raise InputError(f"there is no tool called {tool}")
    for name in given:
        if name not in fields:
            raise InputError(f"{tool} has no field {name!r}")
    for name, field in fields.items():
        if name in given:
            _check_value(f"{tool}.{name}", field, given[name])
        elif field.required:
            raise InputError(f"{tool} needs the field {name!r}")


def _check_value(name: str, field: Field, value: object) -> None:
    if type(value) is not field.kind:
        raise InputError(f"{name} must be of type {field.kind.__name__}")
    if isinstance(value, str):
        _check_text(name, field, value)
    elif not field.smallest <= value <= field.largest:
        raise InputError(f"{name} must be between {field.smallest} and {field.largest}")


def _check_text(name: str, field: Field, value: str) -> None:
    if not value and not field.may_be_empty:
        raise InputError(f"{name} must not be empty")
    if len(value) > MAX_TEXT_CHARS:
        raise InputError(f"{name} is longer than {MAX_TEXT_CHARS:,} characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InputError(f"{name} holds a NUL or a lone surrogate")
    if field.choices and value not in field.choices:
        raise InputError(f"{name} must be one of {', '.join(field.choices)}")
