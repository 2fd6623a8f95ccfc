"""The tools as a model is told of them: the six as Claude Code has them, and those outside in their servers' words.

The schemas of the six come from the table that checks their inputs, so neither can say what the other does not.
"""

from collections.abc import Iterator, Mapping

from sandbox.agents.model.conversation import Conversation
from sandbox.tools.inputs import INPUTS, Field

_DESCRIPTIONS = {
    "Read": "Read a text file. Lines are numbered from 1; offset is the first line, limit how many.",
    "Glob": "Find files by the pattern of their path, such as **/*.py.",
    "Grep": "Search file contents by a regular expression.",
    "Write": "Make a file hold exactly this content, replacing what it held.",
    "Edit": "Replace an exact piece of a text file; old_string must occur once unless replace_all is true.",
    "Bash": "Run one shell command. timeout is in milliseconds.",
}
_TYPES: dict[type, str] = {str: "string", int: "integer", bool: "boolean"}


def told(conversation: Conversation) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Yield (name, description, schema of its input) of every tool of a conversation."""
    for tool in sorted(conversation.tools):
        yield tool, description(tool), schema(tool)
    for outside in conversation.foreign:
        yield outside.name, outside.description, outside.schema


def description(tool: str) -> str:
    """Return what a tool does, in one or two sentences for the model."""
    return _DESCRIPTIONS[tool]


def schema(tool: str) -> dict[str, object]:
    """Return the JSON Schema of a tool's input."""
    fields = INPUTS[tool]
    return {
        "type": "object",
        "properties": {name: _property(field) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.required],
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, object]:
    found: dict[str, object] = {"type": _TYPES[field.kind]}
    if field.choices:
        found["enum"] = list(field.choices)
    if field.kind is int:
        found |= {"minimum": field.smallest, "maximum": field.largest}
    return found
