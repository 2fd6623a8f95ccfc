"""Which file names may cross the wall: those that mean the same to every reader and every terminal."""

import unicodedata

MAX_NAME_BYTES = 255
# Control, format (bidirectional and zero-width marks among them), surrogate, line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def is_plain_name(name: str) -> bool:
    """Tell whether one path component is plain text, no path and no option."""
    if name in ("", ".", "..") or "/" in name or name.startswith("-"):
        return False
    if any(unicodedata.category(character) in _INVISIBLE for character in name):
        return False
    return len(name.encode()) <= MAX_NAME_BYTES
