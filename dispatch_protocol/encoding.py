"""One spelling for each value: strict JSON and unpadded base64url, written one way and read only that strictly.

The standard library's reader takes duplicate keys, NaN, lone surrogates and numbers that other readers change; each of
them lets two honest programs read one signed text differently. So this reader refuses them, and `Fields` refuses
whatever a document's decoder did not ask for by name.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Concatenate, Final, NoReturn, ParamSpec, TypeAlias, TypeVar

from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.limits import JSON_DEPTH, SAFE_INTEGER

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | bool | None"

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Choice = TypeVar("_Choice", bound=StrEnum)

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
_INTEGER_DIGITS: Final = len(str(-SAFE_INTEGER))


def dumps(value: JSON) -> bytes:
    """Write a value as canonical JSON: sorted keys, no spaces, UTF-8 unescaped.

    Raises LocalError(`not_encodable`) for floats, integers beyond 2^53-1, keys that are not text, lone surrogates and
    anything that is not JSON at all. Source: docs/PROTOCOL.md, "Bodies".
    """
    _check_encodable(value, 1)
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise LocalError("not_encodable", "text holds a lone surrogate") from None


def _check_encodable(value: object, depth: int) -> None:
    """Refuse what the standard encoder would write although no strict reader takes it back."""
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > SAFE_INTEGER:
            raise LocalError("not_encodable", "an integer beyond 2^53-1")
        return
    if not isinstance(value, dict | list | tuple):
        raise LocalError("not_encodable", f"a value of type {type(value).__name__}")
    if depth > JSON_DEPTH:
        raise LocalError("not_encodable", f"nested deeper than {JSON_DEPTH}")
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        raise LocalError("not_encodable", "an object with a key that is not text")
    for item in value.values() if isinstance(value, dict) else value:
        if type(item) is not str:  # most values are, and a call for each would double the cost
            _check_encodable(item, depth + 1)


def loads(data: bytes, *, max_bytes: int) -> JSON:
    """Read strict JSON from at most `max_bytes` bytes.

    Raises MalformedError, and nothing else, for over-long input, bytes that are not UTF-8, duplicate keys, NaN and
    Infinity, floats, integers beyond 2^53-1, lone surrogates, nesting deeper than `JSON_DEPTH` and trailing bytes.
    """
    if len(data) > max_bytes:
        raise MalformedError(f"JSON of {len(data)} bytes; at most {max_bytes} are read")
    try:
        text = data.decode("utf-8")
        value: JSON = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise MalformedError("JSON that is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise MalformedError(f"JSON nested deeper than {JSON_DEPTH}") from None
    # A surrogate can only come from an escape, since the UTF-8 decoder has refused the others; and few brackets nest
    # no deeper than there are. So most documents need no walk.
    escapes = "\\u" in text
    if escapes or text.count("{") + text.count("[") > JSON_DEPTH:
        _check_read(value, 1, escapes=escapes)
    return value


def _check_read(value: JSON, depth: int, *, escapes: bool) -> None:
    """Refuse what the standard reader has let through: depth, and surrogates where escapes may have made some."""
    if isinstance(value, dict | list):
        if depth > JSON_DEPTH:
            raise MalformedError(f"JSON nested deeper than {JSON_DEPTH}")
        for item in value.values() if isinstance(value, dict) else value:
            _check_read(item, depth + 1, escapes=escapes)
        if escapes and isinstance(value, dict):
            for key in value:
                _check_text(key)
    elif escapes and isinstance(value, str):
        _check_text(value)


def _check_text(text: str) -> None:
    """Refuse text that has no UTF-8 form."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError("JSON text with a lone surrogate") from None


def _read_object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    """Build one object and refuse a key that stands twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedError("JSON object with a duplicate key")
    return value


def _read_integer(digits: str) -> int:
    """Read an integer that every reader keeps exactly; the length is checked first, as long ones cost time."""
    if len(digits) > _INTEGER_DIGITS or abs(value := int(digits)) > SAFE_INTEGER:
        raise MalformedError("JSON integer beyond 2^53-1")
    return value


def _refuse_number(text: str) -> NoReturn:
    """Refuse floats, NaN and Infinity: no field of any document is one."""
    raise MalformedError(f"JSON number that is not an integer: {text[:32]}")


_ENCODER: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_int=_read_integer,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)


def b64u(data: bytes) -> str:
    """Write bytes as unpadded base64url (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str, *, length: int | None = None) -> bytes:
    """Read unpadded base64url in its one canonical spelling, of exactly `length` bytes if given.

    Raises MalformedError for padding, other alphabets, white space and unused bits that are not zero.
    """
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise MalformedError("not unpadded base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64u(data) != text:
        raise MalformedError("base64url with unused bits that are not zero")
    if length is not None and len(data) != length:
        raise MalformedError(f"base64url of {len(data)} bytes where {length} belong")
    return data


def unhex(text: str, *, length: int | None = None) -> bytes:
    """Read lower-case hex, of exactly `length` bytes if given; raises MalformedError for any other spelling."""
    if not _HEX.fullmatch(text):
        raise MalformedError("not lower-case hex")
    if length is not None and len(text) != 2 * length:
        raise MalformedError(f"hex of {len(text) // 2} bytes where {length} belong")
    return bytes.fromhex(text)


class Fields:
    """An explicit, strict reader of one JSON object: every field is asked for by name, and nothing may be left over.

    Each reading method raises MalformedError, naming the place, if the field is missing, of another type or beyond its
    bounds. A field that may be empty is present and null: `optional(fields.text, "reason", max_chars=2000)`.
    """

    __slots__ = ("_left", "where")

    def __init__(self, value: JSON, where: str) -> None:
        """Begin to read `value`, called `where` in errors."""
        if not isinstance(value, dict):
            raise MalformedError(f"{where} is not an object")
        self.where: str = where
        self._left: dict[str, JSON] = dict(value)

    def done(self) -> None:
        """Refuse whatever nobody asked for."""
        if self._left:
            raise MalformedError(f"{self.where} has unknown fields: {', '.join(sorted(self._left))[:200]}")

    def has(self, name: str) -> bool:
        """Say whether a field is there and unread: for one that came with a later version of its kind."""
        return name in self._left

    def raw(self, name: str) -> JSON:
        """Take a field of any type, for a decoder of its own."""
        try:
            return self._left.pop(name)
        except KeyError:
            raise MalformedError(f"{self.where} lacks the field {name}") from None

    def optional(
        self, read: Callable[Concatenate[str, _P], _T], name: str, *args: _P.args, **bounds: _P.kwargs
    ) -> _T | None:
        """Read a field with one of the other methods, or null as None."""
        if name in self._left and self._left[name] is None:
            del self._left[name]
            return None
        return read(name, *args, **bounds)

    def text(self, name: str, *, max_chars: int, min_chars: int = 0) -> str:
        """Read text of bounded length in characters, without NUL (no database or terminal keeps it)."""
        return self._text(self.raw(name), name, max_chars, min_chars)

    def integer(self, name: str, *, minimum: int = 0, maximum: int = SAFE_INTEGER) -> int:
        """Read an integer within bounds, both included."""
        value = self.raw(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._error(name, "is not an integer")
        if not minimum <= value <= maximum:
            raise self._error(name, f"is not between {minimum} and {maximum}")
        return value

    def boolean(self, name: str) -> bool:
        """Read true or false."""
        value = self.raw(name)
        if not isinstance(value, bool):
            raise self._error(name, "is neither true nor false")
        return value

    def constant(self, name: str, expected: JSON) -> None:
        """Read a field that has one legal value."""
        value = self.raw(name)
        if value != expected or type(value) is not type(expected):
            raise self._error(name, f"is not {expected!r}")

    def choice(self, name: str, options: type[_Choice]) -> _Choice:
        """Read one word of a closed list."""
        value = self.raw(name)
        for option in options:
            if value == option.value:
                return option
        raise self._error(name, "is not one of its words")

    def hex(self, name: str, length: int) -> bytes:
        """Read exactly `length` bytes as lower-case hex."""
        return self._decoded(name, self.raw(name), unhex, length)

    def base64(self, name: str, *, length: int | None = None, max_bytes: int | None = None) -> bytes:
        """Read bytes as canonical base64url, of exactly `length` or at most `max_bytes` bytes."""
        value = self.raw(name)
        data = self._decoded(name, value, unb64u, length)
        if max_bytes is not None and len(data) > max_bytes:
            raise self._error(name, f"is longer than {max_bytes} bytes")
        return data

    def fields(self, name: str) -> "Fields":
        """Read a nested object; its reader calls `done` itself."""
        return Fields(self.raw(name), f"{self.where}.{name}")

    def items(self, name: str, *, max_items: int, min_items: int = 0) -> list[JSON]:
        """Read an array of bounded length, its items of any type."""
        value = self.raw(name)
        if not isinstance(value, list):
            raise self._error(name, "is not an array")
        if not min_items <= len(value) <= max_items:
            raise self._error(name, f"does not have between {min_items} and {max_items} items")
        return value

    def many(self, name: str, *, max_items: int, min_items: int = 0) -> "list[Fields]":
        """Read an array of objects."""
        values = self.items(name, max_items=max_items, min_items=min_items)
        return [Fields(value, f"{self.where}.{name}[{index}]") for index, value in enumerate(values)]

    def texts(self, name: str, *, max_items: int, max_chars: int, min_chars: int = 0) -> tuple[str, ...]:
        """Read an array of texts."""
        values = self.items(name, max_items=max_items)
        return tuple(self._text(value, name, max_chars, min_chars) for value in values)

    def hexes(self, name: str, length: int, *, max_items: int) -> tuple[bytes, ...]:
        """Read an array of byte strings of `length` bytes each, as lower-case hex."""
        return tuple(
            self._decoded(name, value, unhex, length) for value in self.items(name, max_items=max_items)
        )

    def pairs(self, name: str, *, max_items: int, max_key_chars: int, max_value_chars: int) -> dict[str, str]:
        """Read an object of short texts by short, non-empty keys."""
        value = self.raw(name)
        if not isinstance(value, dict):
            raise self._error(name, "is not an object")
        if len(value) > max_items:
            raise self._error(name, f"has more than {max_items} pairs")
        return {
            self._text(key, name, max_key_chars, 1): self._text(item, name, max_value_chars, 0)
            for key, item in value.items()
        }

    def _text(self, value: JSON, name: str, max_chars: int, min_chars: int) -> str:
        if not isinstance(value, str):
            raise self._error(name, "is not text")
        if not min_chars <= len(value) <= max_chars:
            raise self._error(name, f"does not have between {min_chars} and {max_chars} characters")
        if "\0" in value:
            raise self._error(name, "holds a NUL character")
        return value

    def _decoded(self, name: str, value: JSON, decode: "Callable[..., bytes]", length: int | None) -> bytes:
        if not isinstance(value, str):
            raise self._error(name, "is not text")
        try:
            return decode(value, length=length)
        except MalformedError as error:
            raise self._error(name, f"is wrong: {error.detail}") from None

    def _error(self, name: str, what: str) -> MalformedError:
        return MalformedError(f"{self.where}.{name} {what}")
