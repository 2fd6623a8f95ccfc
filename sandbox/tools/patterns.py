"""File name patterns: `*`, `?`, `[...]`, `**` and `{a,b}`, as shells and ignore files mean them."""

import re
from itertools import pairwise

_MAX_ALTERNATIVES = 256


class PatternError(ValueError):
    """A pattern that cannot be read."""


def matcher(pattern: str, *, braces: bool = True) -> re.Pattern[str]:
    """Compile a pattern that must match a whole relative path written with `/`.

    `*` and `?` stop at a `/`; `**` as a whole component matches any number of them, none included. Without
    `braces` a brace is a plain character.

    Raises:
        PatternError: Braces without end, or too many alternatives.
    """
    alternatives = [_translate(each) for each in (expand(pattern) if braces else [pattern])]
    return re.compile(f"(?s:{'|'.join(alternatives)})\\Z")


def expand(pattern: str) -> list[str]:
    """Expand `{a,b}` into the list of patterns it stands for; braces may be nested.

    Raises:
        PatternError: A brace is never closed, or the list grows beyond 256.
    """
    start = pattern.find("{")
    if start < 0:
        return [pattern]
    end, commas = _closing(pattern, start)
    pieces = [pattern[a + 1 : b] for a, b in pairwise([start, *commas, end])]
    tails = expand(pattern[end + 1 :])
    expanded = [
        pattern[:start] + inner + tail for piece in pieces for inner in expand(piece) for tail in tails
    ]
    if len(expanded) > _MAX_ALTERNATIVES:
        raise PatternError("the pattern has too many alternatives")
    return expanded


def _closing(pattern: str, start: int) -> tuple[int, list[int]]:
    """Find the brace that closes the one at `start`, and the commas between at its own depth."""
    depth, commas = 0, []
    for position in range(start, len(pattern)):
        character = pattern[position]
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 1:
            commas.append(position)
        if depth == 0:
            return position, commas
    raise PatternError("a { in the pattern is never closed")


def _translate(pattern: str) -> str:
    out = ""
    position = 0
    while position < len(pattern):
        at_start = position == 0 or pattern[position - 1] == "/"
        if at_start and pattern.startswith("**/", position):
            out, position = out + "(?:[^/]+/)*", position + 3
        elif at_start and pattern[position:] == "**":
            out, position = out + ".*", position + 2
        else:
            piece, position = _character(pattern, position)
            out += piece
    return out


def _character(pattern: str, position: int) -> tuple[str, int]:
    """Translate one character, class or escape; return it and where the next one starts."""
    character = pattern[position]
    if character == "*":
        return "[^/]*", position + 1
    if character == "?":
        return "[^/]", position + 1
    if character == "\\" and position + 1 < len(pattern):
        return re.escape(pattern[position + 1]), position + 2
    end = pattern.find("]", position + 2) if character == "[" else -1
    if end < 0:
        return re.escape(character), position + 1
    inner = pattern[position + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
    negated = inner[0] in "!^"
    inner = (inner[1:] if negated else inner).replace("^", "\\^")
    return f"(?!/)[{'^' if negated else ''}{inner}]" if inner else re.escape(character), end + 1
