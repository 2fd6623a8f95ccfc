"""Every field of every body made wrong in every way that its table rules out, and put at its bounds.

The fields and their bounds are heard from the decoders (`asked_fields`), so that a field that is added brings its vectors.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dispatch_protocol.limits import BODY_BYTES, SAFE_INTEGER
from tests.support.asked_fields import Asked
from tests.support.vectors.changing import Json, copies, drop, fill, put

Objects = Mapping[str, Mapping[str, Asked]]
TEXTS = {"text", "word", "name", "address", "hex", "base64", "choice", "constant"}
LISTS = {"items", "many", "texts", "hexes"}


def wrong(body: Any, top: str, heard: Objects, skip: frozenset[str]) -> Iterator[tuple[str, Json]]:
    """Return what makes a body wrong, each by itself, and what to call it; fields in `skip` at the top are left alone."""
    for path, place, value in _objects(body, top, ""):
        if place in heard:  # elsewhere any field may stand
            yield f"{path or 'the body'} with a field that nobody knows", put(_join(path, "unknown"), None)
        for name, asked in heard.get(place, {}).items():
            if name not in value or (not path and name in skip):
                continue
            at = _join(path, name)
            yield f"{at} missing", drop(at)
            if value[name] is None:
                continue
            if not asked.nullable and asked.how != "raw":
                yield f"{at} null", put(at, None)
            for what, change in _wrong_value(at, value[name], asked):
                yield f"{at} {what}", change


def at_bounds(body: Any, top: str, heard: Objects) -> Iterator[tuple[str, Json]]:
    """Return what puts one field at one of its bounds; whether the body holds then is for its other rules to say."""
    for path, place, value in _objects(body, top, ""):
        for name, asked in heard.get(place, {}).items():
            if value.get(name) is None:
                continue
            at = _join(path, name)
            if asked.nullable:
                yield f"{at} null", put(at, None)
            least, most = asked.bounds.get("min_chars", 0), asked.bounds.get("max_chars")
            if asked.how in {"text", "word", "name"} and most is not None:
                yield f"{at} of {least} characters", fill(at, "a", least)
                yield f"{at} of {most} characters", fill(at, "a", most)
                yield f"{at} of {most} characters beyond ASCII", fill(at, "ä", most)
            if asked.how == "integer":
                yield f"{at} as low as can be", put(at, asked.bounds.get("minimum", 0))
                yield f"{at} as high as can be", put(at, asked.bounds.get("maximum", SAFE_INTEGER))
            if asked.how in LISTS:
                yield f"{at} empty", put(at, [])
            if asked.how in LISTS and value[name]:
                yield f"{at} twice the first", copies(at, 2)
            for option in asked.bounds.get("options", ()):
                yield f"{at} {option.value}", put(at, option.value)


def _objects(value: Any, place: str, path: str) -> Iterator[tuple[str, str, Any]]:
    """Return the objects of a body: their path, their place as decoders call it, and they themselves."""
    if isinstance(value, dict):
        place = "document" if "payloadType" in value else place
        yield path, place, value
        for name, item in value.items():
            yield from _objects(item, f"{place}.{name}", _join(path, name))
    elif isinstance(value, list) and value:
        yield from _objects(value[0], f"{place}[]", _join(path, "0"))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _wrong_value(at: str, value: Any, asked: Asked) -> Iterator[tuple[str, Json]]:
    bounds, how = asked.bounds, asked.how
    if how in TEXTS:
        yield "a number", put(at, 7)
        yield "with U+0000", put(at, f"{value}\0")
        yield from _wrong_text(at, value, how, bounds)
    elif how == "integer":
        yield "a text", put(at, str(value))
        yield "true", put(at, True)
        yield "too low", put(at, bounds.get("minimum", 0) - 1)
        if "maximum" in bounds:
            yield "too high", put(at, bounds["maximum"] + 1)
    elif how == "boolean":
        yield "a number", put(at, int(value))
        yield "a text", put(at, "true")
    elif how in {"fields", "object", "pairs"}:
        yield "a list", put(at, [])
        yield "a text", put(at, "{}")
        yield from _wrong_pairs(at, how, bounds)
    elif how in LISTS:
        yield "an object", put(at, {})
        yield "a text", put(at, "[]")
        yield from _wrong_list(at, value, how, bounds)


def _wrong_text(at: str, value: str, how: str, bounds: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    if how in {"text", "word", "name", "address"}:
        if bounds.get("min_chars") or how in {"word", "name", "address"}:
            yield "empty", put(at, "")
        yield "one character too long", fill(at, "a", bounds["max_chars"] + 1)
    if how == "word":
        yield "in capitals", put(at, value.upper())
        yield "that begins with a dot", put(at, f".{value}")
        yield "beyond ASCII", put(at, f"{value}ä")
    elif how == "name":
        for name in (".", "..", "a/b", "a\\b", "ä" * 128):
            yield f"{name[:3]}", put(at, name)
    elif how == "address":
        for address in (
            "alice",
            "@example.org",
            "alice@",
            "a@b@c",
            "Alice@example.org",
            "a lice@example.org",
        ):
            yield address, put(at, address)
    elif how == "choice":
        yield "another word", put(at, "another")
        yield "in capitals", put(at, value.upper())
    elif how == "hex":
        yield "a byte too short", put(at, value[2:])
        yield "a byte too long", put(at, f"{value}00")
        yield "in capitals", put(at, f"{value[:-2]}AA")
        yield "no hex", put(at, f"{value[:-1]}g")
    elif how == "base64":
        yield "padded", put(at, f"{value}=")
        yield "of another alphabet", put(at, f"{value[:-1]}+")
        if "length" in bounds:
            yield "a group too short", put(at, value[4:])
            yield "a group too long", put(at, f"AAAA{value}")


def _wrong_pairs(at: str, how: str, bounds: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    if how == "pairs":
        yield "with a number", put(_join(at, "number"), 7)
        yield "with a value too long", fill(_join(at, "long"), "a", bounds["max_value_chars"] + 1)
        yield "with a key too long", put(_join(at, "k" * (bounds["max_key_chars"] + 1)), "x")
        yield "with an empty key", put(at, {"": "x"})
        yield "with a pair too many", put(at, {f"k{n}": "x" for n in range(bounds["max_items"] + 1)})
    elif how == "object":
        yield "too large", fill(_join(at, "long"), "a", bounds["max_bytes"])


def _wrong_list(at: str, value: list[Any], how: str, bounds: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    yield "with a number", put(at, [7])
    yield "with null", put(at, [None])
    if bounds.get("min_items"):
        yield "empty", put(at, [])
    most = bounds["max_items"]
    size = len(str(value[0])) if value else 0
    if value and (most + 1) * size < BODY_BYTES // 2:
        yield f"with {most + 1} elements", copies(at, most + 1)
    if how == "texts" and value:
        yield "with a text too long", fill(f"{at}.0", "a", bounds["max_chars"] + 1)
        if bounds.get("min_chars"):
            yield "with an empty text", put(f"{at}.0", "")
    elif how == "hexes" and value:
        yield "with a byte too few", put(f"{at}.0", value[0][2:])
