"""Fields of a JSON document that another process wrote, read without trust and without failing.

A renderer shows what is there and leaves out what is not: a newer or an older daemon must not break a table.
"""

from typing import Any

from dispatch_cli.render import times

# A JSON object as another process wrote it.
Document = dict[str, Any]


def text(document: Document, name: str) -> str:
    """Return a string field, or "" for anything else."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def number(document: Document, name: str) -> int | None:
    """Return an integer field, or None for anything else."""
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def truth(document: Document, name: str) -> bool:
    """Say whether a field is exactly true."""
    return document.get(name) is True


def inner(document: Document, name: str) -> Document:
    """Return an object field, or an empty one."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def items(document: Document, name: str) -> list[Document]:
    """Return the objects of a list field."""
    value = document.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def words(document: Document, name: str) -> list[str]:
    """Return the strings of a list field."""
    value = document.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def moment_ms(document: Document, name: str) -> int | None:
    """Return a time field in ms since 1970, or None."""
    return times.parse_ms(text(document, name))
