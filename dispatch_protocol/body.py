"""The frame of every signed body: canonical JSON that states its version, read strictly and written so that it reads.

A body that is not in canonical form is refused although its signature holds: one document, one spelling. That makes
writing the inverse of reading, which the codes of a first contact rely on.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from dispatch_protocol.encoding import JSON, Fields, dumps, loads
from dispatch_protocol.errors import DispatchError, LocalError, MalformedError, RefusalCode, RefusedError
from dispatch_protocol.limits import BODY_BYTES

VERSION: Final = 1

_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_T = TypeVar("_T")


def read_body(body: bytes, where: str, read: Callable[[Fields], _T], *, max_bytes: int = BODY_BYTES) -> _T:
    """Read a canonical body of version 1 with `read`, which asks for every field but `v`.

    Raises:
        MalformedError: not canonical JSON, or fields that are missing, unknown or beyond their bounds.
        RefusedError: `unsupported`, the body is of a version that is not understood here.
    """
    value = loads(body, max_bytes=max_bytes)
    fields = Fields(value, where)
    version = fields.integer("v")
    if version != VERSION:
        raise RefusedError(RefusalCode.UNSUPPORTED, f"{where} of version {version}")
    if dumps(value) != body:
        raise MalformedError(f"{where} is not in canonical form")
    result = read(fields)
    fields.done()
    return result


def write_body(
    value: Mapping[str, JSON], where: str, read: Callable[[Fields], object], *, max_bytes: int = BODY_BYTES
) -> bytes:
    """Write a body of version 1 and read it back, so that we never sign what another side would refuse.

    Raises:
        LocalError: the code of the refusal, or `not_encodable` for anything that no reader takes.
    """
    body = dumps({**value, "v": VERSION})
    try:
        read_body(body, where, read, max_bytes=max_bytes)
    except MalformedError as error:
        raise LocalError("not_encodable", error.detail) from None
    except DispatchError as error:
        raise LocalError(error.code, error.detail) from None
    return body


def read_word(fields: Fields, name: str, *, max_chars: int = 64) -> str:
    """Read a lower-case word of an open list: a surface, a route, a reason code."""
    return check_word(fields.text(name, min_chars=1, max_chars=max_chars), f"{fields.where}.{name}")


def check_word(text: str, where: str) -> str:
    """Return the text if it is a word: lower-case letters, digits, and `_.-` after the first of them."""
    if not _WORD.fullmatch(text):
        raise MalformedError(f"{where} is not a lower-case word")
    return text


def read_object(fields: Fields, name: str, *, max_bytes: int) -> dict[str, JSON]:
    """Read an object of any shape, bounded by its size in canonical form."""
    value = fields.raw(name)
    if not isinstance(value, dict):
        raise MalformedError(f"{fields.where}.{name} is not an object")
    if len(dumps(value)) > max_bytes:
        raise MalformedError(f"{fields.where}.{name} is longer than {max_bytes} bytes")
    return value
