"""The types of docs/protocol/FIELDS.md as predicates, and strict JSON: what the whole second reading of the page is made of.

It shares no line and no library with the product.
"""

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from tests.support.independent_bytes import Json

BODY = 1024 * 1024
SPACE = {
    *(chr(point) for point in (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680)),
    *(chr(point) for point in (*range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)),
}
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
Holds = Callable[[Any], bool]
WORD = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def hexes(size: int) -> Holds:
    return lambda value: isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{2 * size}}}", value) is not None


def number(least: int = 0) -> Holds:
    return lambda value: type(value) is int and least <= value <= 2**53 - 1


def text(most: int = 255, least: int = 0) -> Holds:
    return lambda value: isinstance(value, str) and least <= len(value) <= most and "\0" not in value


def one_of(*words: str) -> Holds:
    return lambda value: isinstance(value, str) and value in words


def nullable(holds: Holds) -> Holds:
    return lambda value: value is None or holds(value)


def listed(holds: Holds, most: int, least: int = 0) -> Holds:
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(holds, value))


def decoded(value: Any) -> bytes | None:
    """The bytes of a text in base64url without padding, in its one spelling."""
    if not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9_-]*", value) is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == value else None


def encoded(size: int) -> Holds:
    return lambda value: (raw := decoded(value)) is not None and len(raw) == size


def exactly(fields: dict[str, Holds]) -> Holds:
    return lambda value: (
        isinstance(value, dict)
        and value.keys() == fields.keys()
        and all(holds(value[name]) for name, holds in fields.items())
    )


def document(value: Any) -> bool:
    """DSSE JSON of chapter 3: 1 to 8 signatures, none of them twice by one key."""
    signature = exactly({"keyid": ID, "sig": encoded(64)})
    shape = {
        "payload": lambda each: len(decoded(each) or b"") <= BODY and decoded(each) is not None,
        "payloadType": named,
    }
    if not exactly({**shape, "signatures": listed(signature, 8, 1)})(value):
        return False
    keys = [each["keyid"] for each in value["signatures"]]
    return len(set(keys)) == len(keys)


def word(value: Any) -> bool:
    return isinstance(value, str) and WORD.fullmatch(value) is not None


def flag(value: Any) -> bool:
    return type(value) is bool


ID, EDGE, TIME = hexes(32), hexes(16), number()


def named(value: Any) -> bool:
    """A payload type: 1 to 128 bytes of UTF-8."""
    return text(128, 1)(value) and len(value.encode()) <= 128


def printable(value: str) -> bool:
    return all(each == " " or unicodedata.category(each) not in UNPRINTABLE for each in value)


def blank(value: str) -> bool:
    """Whether a text is nothing but white space."""
    return set(value) <= SPACE


def file_name(value: Any) -> bool:
    if not text(255, 1)(value) or value in {".", ".."} or set("/\\") & set(value):
        return False
    return len(value.encode()) <= 255


def address(value: Any) -> bool:
    if not text(254)(value) or " " in value or not printable(value) or value != value.lower():
        return False
    name, at, host = value.partition("@")
    return bool(name and at and host) and "@" not in host


def sized(most: int) -> Holds:
    """An object of any fields, of so many bytes in canonical form."""
    return lambda value: isinstance(value, dict) and len(written(value)) <= most


def written(value: Any) -> bytes:
    """Canonical JSON, with its escapes spelled out."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def deep(value: Any) -> int:
    """How many objects and arrays lie inside one another, the outermost counted."""
    if isinstance(value, dict):
        return 1 + max(map(deep, value.values()), default=0)
    return 1 + max(map(deep, value), default=0) if isinstance(value, list) else 0


def strict(raw: bytes) -> Any:
    """One JSON value, not necessarily canonical; ValueError for whatever a strict reader refuses."""

    def once(pairs: list[tuple[str, Any]]) -> Json:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    def never(said: str) -> None:
        raise ValueError(said)

    def whole(digits: str) -> int:
        if len(digits) > 17 or abs(int(digits)) > 2**53 - 1:
            raise ValueError(digits)
        return int(digits)

    try:
        value = json.loads(
            raw.decode(), object_pairs_hook=once, parse_float=never, parse_constant=never, parse_int=whole
        )
    except RecursionError:
        raise ValueError("too deep") from None
    if deep(value) > 32:
        raise ValueError("too deep")
    written(value)  # a lone surrogate has no UTF-8, and UnicodeEncodeError is a ValueError
    return value
