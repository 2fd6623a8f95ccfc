"""The words that cross the wall, as the outside says and reads them: one JSON object a line.

What comes out (`speech` is how an honest helper says it) is hostile until proven otherwise, for a program inside that found a way into the helper would
speak through it. So a reply must be one line of bounded length, one object with exactly the known fields of
exactly the known types, and must name the call that is being waited for. Anything else is no reply: the run
is killed and nothing in it is believed.
"""

import json
from typing import Any, NoReturn

from sandbox.errors import HelperError
from sandbox.job import ToolCall, ToolResult
from sandbox.wall.speech import MAX_ERROR_CHARS, MAX_NAME_CHARS, MAX_NAMES, encode

_ESCAPED = 6  # a control character of one byte travels as \u00XX


def longest_line(output_bytes: int) -> int:
    """Bound a line by what the longest honest reply needs."""
    return _ESCAPED * (output_bytes + MAX_ERROR_CHARS) + MAX_NAMES * MAX_NAME_CHARS


def encode_call(call: ToolCall) -> bytes:
    """Ask for one call of one tool."""
    return encode({"call": call.call_id, "tool": call.tool, "input": dict(call.input)})


def encode_listing() -> bytes:
    """Ask for the names of the files on scratch, the last thing a run is asked."""
    return encode({"list": True})


def decode_ready(line: bytes) -> int:
    """Read the helper's first words: the Landlock ABI it has entered, 0 for none.

    Raises:
        HelperError: The line says anything else.
    """
    value = _object(line, {"ready", "landlock"})
    abi = value["landlock"]
    if value["ready"] is not True or type(abi) is not int or not 0 <= abi < 1000:
        _refuse("its greeting is wrong")
    return abi


def decode_result(line: bytes, call_id: str, output_bytes: int) -> ToolResult:
    """Read the reply to one call.

    Raises:
        HelperError: It is no reply, a reply to another call, or says what no honest helper says.
    """
    value = _object(line, {"call", "ok", "output", "truncated", "exit_code", "error"})
    output, error, code = value["output"], value["error"], value["exit_code"]
    if value["call"] != call_id:
        _refuse("it answered a call that was not asked")
    if type(value["ok"]) is not bool or type(value["truncated"]) is not bool:
        _refuse("a flag is not a flag")
    if code is not None and (type(code) is not int or not 0 <= code <= 255):
        _refuse("an exit code is none")
    if error is not None and (type(error) is not str or len(error) > MAX_ERROR_CHARS):
        _refuse("an error is no text")
    if value["ok"] is not (error is None):
        _refuse("it calls a failure a success")
    if type(output) is not str or _size(output) > output_bytes:
        _refuse("its output is no text or too long")
    if error is not None:
        _size(error)
    return ToolResult(call_id, value["ok"], output, value["truncated"], code, error)


def decode_names(line: bytes) -> tuple[str, ...]:
    """Read the names of scratch files.

    Raises:
        HelperError: The line is anything else.
    """
    names = _object(line, {"list"})["list"]
    if type(names) is not list or len(names) > MAX_NAMES:
        _refuse("its list is none")
    for name in names:
        if type(name) is not str or len(name) > MAX_NAME_CHARS:
            _refuse("a name is no text or too long")
        _size(name)
    return tuple(names)


def _object(line: bytes, fields: set[str]) -> dict[str, Any]:
    """Parse one line strictly: UTF-8, no doubled key, no NaN, exactly these fields."""
    try:
        value = json.loads(line.decode(), object_pairs_hook=_distinct, parse_constant=_refuse)
    except (ValueError, RecursionError):
        _refuse("it sent no JSON")
    if not isinstance(value, dict) or set(value) != fields:
        _refuse("it sent another object than was asked for")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        _refuse("it sent a key twice")
    return value


def _size(text: str) -> int:
    """Measure text in UTF-8 and refuse what is not text, such as a lone surrogate."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        _refuse("it sent a lone surrogate")


def _refuse(why: str) -> NoReturn:
    raise HelperError(
        "helper_untrusted",
        f"The helper inside is not to be believed: {why}.",
        "Discard this run and look at its task.",
    )
