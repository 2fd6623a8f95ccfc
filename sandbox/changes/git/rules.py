"""The patterns of a .gitignore file and how they match, as gitignore(5) and Git's wildmatch.c have them.

Written here and not taken from a library for one reason: the patterns are the owner's but the names are the
run's, and translating `*` into a backtracking regular expression lets five stars and a name of 120 letters
hold the daemon for fifteen seconds. Here every star but the last is an atomic group that takes the nearest
match, as the standard library's fnmatch does it: matching is linear, and exact because a pattern's fixed parts
have fixed lengths. Names are bytes, as they are for Git: `?` is one byte.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-~",
    b"lower": rb"a-z",
    b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb" \t\n\v\f\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}

_STAR = object()
_SLASH = object()
_Token = bytes | object  # a regular expression for exactly one byte, or one of the two above


class _NeverError(Exception):
    """The pattern is malformed in a way that makes Git match nothing with it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file. `segments` match a path's components; None stands for any number of them.

    A pattern without a slash is matched against the last component alone, wherever it lies (`anywhere`).
    """

    segments: tuple[re.Pattern[bytes] | None, ...]
    negated: bool
    only_directories: bool
    anywhere: bool

    def matches(self, parts: Sequence[bytes], *, is_directory: bool) -> bool:
        """Say whether the pattern matches a path given by its components below the ignore file."""
        if self.only_directories and not is_directory:
            return False
        return _match(self.segments, parts[-1:] if self.anywhere else parts)


def _match(segments: Sequence[re.Pattern[bytes] | None], parts: Sequence[bytes]) -> bool:
    """Match components one by one, keeping every number of segments that may have been used up so far."""
    reached = _skip(segments, {0})
    for part in parts:
        after: set[int] = set()
        for at in reached - {len(segments)}:
            segment = segments[at]
            if segment is None:
                after.add(at)
            elif segment.fullmatch(part):
                after.add(at + 1)
        reached = _skip(segments, after)
    return len(segments) in reached


def _skip(segments: Sequence[re.Pattern[bytes] | None], reached: set[int]) -> set[int]:
    """Add the positions reached by letting a `**` stand for nothing."""
    for at, segment in enumerate(segments):
        if segment is None and at in reached:
            reached.add(at + 1)
    return reached


def parse(text: bytes) -> tuple[Pattern, ...]:
    """Return the patterns of an ignore file in their order; later ones win."""
    lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    found = (_parse_line(line) for line in lines)
    return tuple(pattern for pattern in found if pattern is not None)


def _parse_line(line: bytes) -> Pattern | None:
    """Return the pattern of one line, or None for a comment, an empty line or a pattern that cannot match."""
    line = _without_trailing_spaces(line.removesuffix(b"\r"))
    if line.startswith(b"#"):
        return None
    negated = line.startswith(b"!")
    line = line[1:] if negated else line
    only_directories = line.endswith(b"/")
    line = line[:-1] if only_directories else line
    anywhere = b"/" not in line
    try:
        tokens = list(_tokens(line.removeprefix(b"/")))
        segments = tuple(_segments(tokens, anywhere=anywhere))
    except _NeverError:
        return None
    return Pattern(segments, negated, only_directories, anywhere) if tokens else None


def _without_trailing_spaces(line: bytes) -> bytes:
    """Drop the spaces at the end that no backslash escapes."""
    kept = at = 0
    while at < len(line):
        escaped = line[at] == ord("\\")
        at += 2 if escaped else 1
        if escaped or line[at - 1] != ord(" "):
            kept = at
    return line[:kept]


def _tokens(pattern: bytes) -> Iterator[_Token]:
    """Split a pattern into regular expressions of one byte each, stars and slashes."""
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"\\":
            if at == len(pattern):
                raise _NeverError
            char = pattern[at : at + 1]
            at += 1
            yield _SLASH if char == b"/" else re.escape(char)
        elif char == b"*":
            yield _STAR
        elif char == b"?":
            yield rb"."
        elif char == b"[":
            expression, at = _bracket(pattern, at)
            yield expression
        else:
            yield _SLASH if char == b"/" else re.escape(char)


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression of the bracket that opened just before `at`, and where the pattern goes on.

    Follows wildmatch.c step by step, oddities included: `]` is literal in first place, a backslash escapes,
    a range needs a byte on both sides, and an unclosed bracket matches nothing at all.
    """
    negated = pattern[at : at + 1] in {b"!", b"^"}
    at += negated
    members: list[bytes] = []
    previous = b""
    first = True
    while first or pattern[at : at + 1] != b"]":
        first = False
        char, at, escaped = _member(pattern, at)
        following = pattern[at : at + 1]
        if char == b"-" and not escaped and previous and following not in {b"", b"]"}:
            last, at, _ = _member(pattern, at)
            if previous <= last:
                members.append(re.escape(previous) + b"-" + re.escape(last))
            previous = b""
        elif char == b"[" and not escaped and following == b":" and (named := _class(pattern, at + 1)):
            members.append(named[0])
            at = named[1]
            previous = b""
        else:
            members.append(re.escape(char))
            previous = char
    expression = b"".join(members)
    if negated:
        return b"[^" + expression + b"]", at + 1
    return b"[" + expression + b"]" if expression else b"(?!)", at + 1


def _member(pattern: bytes, at: int) -> tuple[bytes, int, bool]:
    """Return one byte inside a bracket, the position after it, and whether a backslash escaped it."""
    escaped = pattern[at : at + 1] == b"\\"
    at += escaped
    if at >= len(pattern):
        raise _NeverError
    return pattern[at : at + 1], at + 1, escaped


def _class(pattern: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the members of a POSIX class whose name begins at `at`; None when it is a plain set after all."""
    stop = pattern.find(b"]", at)
    if stop < 0:
        raise _NeverError
    if stop == at or pattern[stop - 1 : stop] != b":":
        return None
    members = _CLASSES.get(pattern[at : stop - 1])
    if members is None:
        raise _NeverError
    return members, stop + 1


def _segments(tokens: list[_Token], *, anywhere: bool) -> Iterator[re.Pattern[bytes] | None]:
    """Group tokens into one expression per path component; two stars or more alone are any number of them."""
    segment: list[_Token] = []
    deep = False
    for token in [*tokens, _SLASH]:
        if token is not _SLASH:
            segment.append(token)
            continue
        deep = not anywhere and len(segment) > 1 and all(one is _STAR for one in segment)
        yield None if deep else _compile(segment)
        segment = []
    if deep:
        yield _compile([_STAR])  # at the end `**` is at least one: `a/**` is what lies in a, not a itself


def _compile(segment: list[_Token]) -> re.Pattern[bytes]:
    """Return the expression of one component: fixed runs with stars between them, without backtracking."""
    runs: list[bytes] = [b""]
    for token in segment:
        if isinstance(token, bytes):
            runs[-1] += token
        elif runs[-1] or len(runs) == 1:
            runs.append(b"")
    first, *middle = runs
    if not middle:
        return re.compile(first, re.DOTALL)
    *inner, last = middle
    body = b"".join(b"(?>.*?" + run + b")" for run in inner)
    return re.compile(first + body + b".*" + last, re.DOTALL)
