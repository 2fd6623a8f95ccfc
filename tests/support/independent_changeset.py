"""The digest of a changeset a second time, written from docs/protocol/FIELDS.md alone."""

import hashlib

from tests.support.independent_bytes import Json

SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
FIELDS = (
    "flags",
    "kind",
    "new_mode",
    "old_mode",
    "old_sha256",
    "op",
    "path",
    "sha256",
    "size_bytes",
    "target",
)


def quoted(text: str) -> str:
    """One JSON text in ASCII; characters above U+FFFF as their surrogate pair."""
    return '"' + "".join(SHORT.get(each) or escaped(each) for each in text) + '"'


def escaped(character: str) -> str:
    point = ord(character)
    if 0x20 <= point <= 0x7E:
        return character
    if point <= 0xFFFF:
        return f"\\u{point:04x}"
    point -= 0x10000
    return f"\\u{0xD800 + (point >> 10):04x}\\u{0xDC00 + (point & 0x3FF):04x}"


def written(value: object) -> str:
    match value:
        case None:
            return "null"
        case str():
            return quoted(value)
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return str(value)


def text_of(name: str) -> str:
    """A name as it is hashed: bytes that are no UTF-8 stand for themselves, at U+DC00."""
    if not name.startswith("bytes:"):
        return name
    return bytes.fromhex(name.removeprefix("bytes:")).decode("utf-8", "surrogateescape")


def text(entries: list[Json], left_behind: list[list[str]]) -> str:
    """What is hashed of a changeset whose parts come in any order."""
    ordered = sorted(entries, key=lambda entry: (entry["path"], entry["op"] != "delete"))
    objects = [
        "{" + ",".join(f'"{name}":{written(entry[name])}' for name in FIELDS) + "}" for entry in ordered
    ]
    behind = sorted({(text_of(path), reason) for path, reason in left_behind})
    pairs = [written(list(pair)) for pair in behind]
    return f'{{"changeset":1,"entries":[{",".join(objects)}],"left_behind":[{",".join(pairs)}]}}'


def digest(entries: list[Json], left_behind: list[list[str]]) -> str:
    return hashlib.sha256(text(entries, left_behind).encode("ascii")).hexdigest()
