"""Text that came from somebody else, made safe and made to fit.

A task, a path or a tool call is written by others and read in a terminal. Control characters could move the
cursor, bidirectional ones could reorder a command, invisible ones could hide words from the person who
decides: all of them are shown as `⟨U+202E⟩` instead.
"""

import unicodedata

ELLIPSIS = "…"

# Invisible although their category says mark, letter or symbol.
_BLANK = frozenset(
    [
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE0E),  # the two emoji selectors above these change a picture, not a meaning
        *range(0xE0000, 0xE1000),
    ]
)
_HIDDEN_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])
_MARKS = frozenset(["Mn", "Me", "Cf"])


def visible(text: str, *, lines: bool = False) -> str:
    """Return `text` with every character that hides or acts written as `⟨U+XXXX⟩`.

    With `lines`, newlines and tabs stay: the caller prints a block and marks each of its lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character, lines) for character in text)


def _shown(character: str, lines: bool) -> str:
    if lines and character in "\n\t":
        return character
    code = ord(character)
    if code in _BLANK or unicodedata.category(character) in _HIDDEN_CATEGORIES:
        return f"⟨U+{code:04X}⟩"
    return character


def one_line(text: str) -> str:
    """Return `text` on one line: runs of line breaks, tabs and spaces become one space."""
    return visible(" ".join(text.split()))


def cells(text: str) -> int:
    """Return how many terminal cells `text` takes (wide characters two, combining marks none)."""
    if text.isascii():
        return len(text)
    total = 0
    for character in text:
        if unicodedata.category(character) not in _MARKS:
            total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total


def cut_end(text: str, width: int) -> str:
    """Shorten to `width` cells by dropping the end: for sentences, which begin with their point."""
    if cells(text) <= width:
        return text
    return _head(text, width - 1).rstrip() + ELLIPSIS


def cut_middle(text: str, width: int) -> str:
    """Shorten to `width` cells by dropping the middle: for paths, whose both ends say something."""
    if cells(text) <= width:
        return text
    room = width - 1
    head = _head(text, room // 2)
    tail = _head(text[::-1], room - cells(head))[::-1]
    return head + ELLIPSIS + tail


def _head(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += cells(character)
        if used > width:
            return text[:index]
    return text


def pad(text: str, width: int) -> str:
    """Fill with spaces up to `width` cells."""
    return text + " " * (width - cells(text))


def wrapped(text: str, width: int | None) -> list[str]:
    """Break a block into lines of at most `width` cells without losing a character; None never breaks.

    Lines break after a space where there is one, else in the middle of a word: nothing is cut, because
    this is what a person reads before deciding.
    """
    result: list[str] = []
    for line in visible(text, lines=True).expandtabs(4).split("\n"):
        rest = line
        while width is not None and cells(rest) > width:
            head = _head(rest, width)
            space = head.rfind(" ")
            cut = space + 1 if space > 0 else max(len(head), 1)
            result.append(rest[:cut].rstrip(" ") if space > 0 else rest[:cut])
            rest = rest[cut:]
        result.append(rest)
    return result


def home_relative(path: str, user_home: str) -> str:
    """Write a path under the person's home directory with `~`, as they would type it."""
    if path == user_home:
        return "~"
    prefix = user_home.rstrip("/") + "/"
    return "~/" + path[len(prefix) :] if len(prefix) > 1 and path.startswith(prefix) else path


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
