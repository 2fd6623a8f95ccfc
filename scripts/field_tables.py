"""The tables of docs/protocol/FIELDS.md: each field of each signed object, as its decoder asks for it, with our words beside it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from field_words import EVENTS, SOMETIMES, WORDS

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dispatch_protocol.limits import SAFE_INTEGER  # noqa: E402 - found by the line before
from dispatch_protocol.messages.trace import EventType  # noqa: E402 - found by the line before
from tests.support.all_fields import entries as asked_entries  # noqa: E402 - found by the line before
from tests.support.all_fields import objects as asked_objects  # noqa: E402 - found by the line before
from tests.support.asked_fields import Asked  # noqa: E402 - found by the line before

_ONE_OF_OURS = {"grant": "*document*", "document": "*document*", "offer": "*document*, or null"}
_ONE_OF_OURS |= {"mandate": "null", "data": "object", "payload": "object of at most 64 KiB, or null"}


def fields(name: str) -> str:
    """Return the table of one object."""
    asked, words = asked_objects()[name], WORDS[name]
    if asked.keys() != words.keys():
        raise SystemExit(
            f"scripts/field_words.py and the decoder of {name} differ: {sorted(asked.keys() ^ words.keys())}"
        )
    lines = ["", "| field | type | what it says |", "| --- | --- | --- |"]
    lines += [f"| `{field}` | {kind(field, asked[field])} | {said} |" for field, said in words.items()]
    return "\n".join([*lines, ""])


def every_table() -> set[str]:
    """Return the names of the objects that there are."""
    return set(asked_objects())


def kind(field: str, asked: Asked) -> str:
    """Return the type of a field with its bounds."""
    if asked.how == "raw":
        return _ONE_OF_OURS[field]
    text = _kind(asked.how, asked.bounds)
    return f"{text}, or null" if asked.nullable else text


def _kind(how: str, bounds: Mapping[str, Any]) -> str:
    match how:
        case "hex" | "base64":
            spelled = "hex" if how == "hex" else "base64url"
            size = bounds.get("length")
            return f"{size} bytes, {spelled}" if size else f"at most {_size(bounds['max_bytes'])}, {spelled}"
        case "integer":
            return _span(bounds.get("minimum", 0), bounds.get("maximum", SAFE_INTEGER))
        case "choice":
            return " ".join(f"`{option.value}`" for option in bounds["options"])
        case "boolean":
            return "true, false"
        case "word" | "text" | "name" | "address":
            return _characters(how, bounds)
        case "object":
            return f"object of at most {_size(bounds['max_bytes'])}"
        case "fields":
            return "object"
        case _:
            return _many(how, bounds)


def _characters(how: str, bounds: Mapping[str, Any]) -> str:
    least, most = bounds.get("min_chars", 0), bounds["max_chars"]
    span = f"{least} to {most:,}" if least else f"at most {most:,}"
    return {"text": "text", "word": "word", "name": "file name", "address": "address"}[
        how
    ] + f", {span} characters"


def _many(how: str, bounds: Mapping[str, Any]) -> str:
    if how == "pairs":
        key, value = bounds["max_key_chars"], bounds["max_value_chars"]
        return f"object of at most {bounds['max_items']} texts of at most {value:,} characters by keys of 1 to {key}"
    least, most = bounds.get("min_items", 0), bounds["max_items"]
    span = f"{least} to {most:,}" if least else f"at most {most:,}"
    match how:
        case "many":
            return f"list of {span} objects"
        case "hexes":
            return f"list of {span}, each {bounds['length']} bytes, hex"
        case "texts":
            return f"list of {span}, each a {_characters('text', bounds)}"
        case _:
            return f"list of {span} *documents*"


def _span(least: int, most: int) -> str:
    return f"{least:,} to {'2^53−1' if most == SAFE_INTEGER else f'{most:,}'}"


def _size(size: int) -> str:
    for unit, name in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def entries() -> str:
    """Return the table of the entries of a household's log, in the short words of chapter 8."""
    lines = ["", "| kind | fields |", "| --- | --- |"]
    for name, asked in asked_entries().items():
        told = [_short(field, each) for field, each in asked.items() if field not in SOMETIMES.get(name, {})]
        told += [f"{_short(field, asked[field])} {when}" for field, when in SOMETIMES.get(name, {}).items()]
        lines.append(f"| `{name}` | {' · '.join(told)} |")
    return "\n".join([*lines, ""])


def _short(field: str, asked: Asked) -> str:
    """Return a field in the short words of chapter 8."""
    if asked.how == "raw":
        return f"`{field}` {_ONE_OF_OURS[field].replace('*', '').replace(', or null', '?')}"
    text = _kind(asked.how, asked.bounds).replace("32 bytes, hex", "id").replace(", hex", "")
    text = {"0 to 2^53−1": "number", "object": "version", "true, false": "true or false"}.get(text, text)
    text = text.replace("text, at most", "text of at most").replace("text, ", "text of ").replace("*", "")
    text = text.replace("word, 1 to 64 characters", "word").replace(" characters", "")
    return f"`{field}` {text}{'?' if asked.nullable else ''}"


def events() -> str:
    """Return the closed list of what a trace may say."""
    if list(EVENTS) != [each.value for each in EventType]:
        raise SystemExit("scripts/field_words.py and EventType differ")
    lines = ["", "| type | `data` | says |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {data} | {says} |" for name, (data, says) in EVENTS.items()]
    return "\n".join([*lines, ""])
