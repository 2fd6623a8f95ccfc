"""What a command reads besides its arguments: files, standard input and steps, bounded and in UTF-8.

Every failure names the file. A steps file that is JSON never imports a YAML parser.
"""

import json
import os
import sys
from typing import Any

from dispatch_cli.errors import CliError
from dispatch_protocol.limits import STEPS_BYTES

STDIN = "-"
TEXT_BYTES = 1024 * 1024


def read_text(source: str, what: str, *, limit: int = TEXT_BYTES) -> str:
    """Return the text of a file, or of standard input for `-`.

    Raises `CliError`: `file_unreadable`, `too_long`, `not_encodable`.
    """
    name = "standard input" if source == STDIN else source
    try:
        if source == STDIN:
            if sys.stdin is None:
                raise CliError(
                    "file_unreadable", f"The {what} should come from standard input, which is closed."
                )
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with open(os.path.expanduser(source), "rb") as file:
                data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise CliError("file_unreadable", f"The {what} cannot be read from {name}: {said}.") from error
    if len(data) > limit:
        raise CliError("too_long", f"The {what} in {name} is longer than {limit:,} bytes.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CliError(
            "not_encodable", f"The {what} in {name} is not UTF-8 text (byte {error.start})."
        ) from error


def text_or_file(value: str, what: str) -> str:
    """Return the value itself, or for `@FILE` the text of the file; `@@` begins a text with one `@`."""
    if value.startswith("@@"):
        return value[1:]
    return read_text(value[1:], what) if value.startswith("@") else value


def read_steps(source: str) -> list[Any]:
    """Return the list of a JSON or YAML steps file; what each step means is the daemon's to judge.

    Raises `CliError` (`steps_invalid`) for anything that is no list of plain values.
    """
    text = read_text(source, "steps", limit=STEPS_BYTES)
    value = _parsed(text, must_be_json=source.endswith(".json"))
    if not isinstance(value, list):
        raise _steps_error("it should be a list of steps, each with `tool` and `input`")
    _check_plain(value)
    return value


def _check_plain(value: list[Any]) -> None:
    """Refuse what can be written in a steps file and not be signed: fractions and halves of characters."""
    inside: list[Any] = [value]
    for each in inside:  # it grows while it is walked: depth costs no stack
        if isinstance(each, float):
            raise _steps_error(f"{each} is no whole number")
        if isinstance(each, str) and not _is_text(each):
            raise _steps_error("a text in it holds a lone surrogate")
        if isinstance(each, dict):
            inside += each
            inside += each.values()
        elif isinstance(each, list):
            inside += each


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(text: str, *, must_be_json: bool) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if must_be_json:
            raise _steps_error(f"it is not valid JSON ({error})") from error
    from dispatch_cli.steps_yaml import StepsYamlError, load

    try:
        return load(text)
    except StepsYamlError as error:
        raise _steps_error(str(error)) from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it names a key twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value")


def _steps_error(reason: str) -> CliError:
    return CliError("steps_invalid", f"The steps file cannot be used: {reason}.", hint="dispatch send --help")


def absolute(path: str) -> str:
    """Return the path from the root, with `~` as a person means it.

    Raises `CliError` (`file_unreadable`) if it is relative and the current directory no longer exists.
    """
    try:
        return os.path.abspath(os.path.expanduser(path))
    except FileNotFoundError as error:
        raise CliError("file_unreadable", "The current directory no longer exists.", hint="cd") from error


def exists(path: str) -> bool:
    """Say whether something stands at a path as a person means it."""
    return path != "" and os.path.lexists(absolute(path))


def current_directory() -> str | None:
    """Return where the person stands, or None where that is no longer a place."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None
